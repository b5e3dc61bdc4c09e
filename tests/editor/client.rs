//! A client of rust-analyzer: the language server protocol over its standard input and output.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

pub struct Client {
    server: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// The number of the last request.
    last: u64,
    /// Whether the server has read the crate.
    is_ready: bool,
}

impl Client {
    /// Starts it in a crate and waits until it has read that; nothing where it is not installed.
    pub fn start(root: &Path) -> Option<Self> {
        // Of a component that is missing, rustup's proxy is there.
        let version = Command::new("rust-analyzer").arg("--version").output();
        version.ok().filter(|version| version.status.success())?;
        let mut server = Command::new("rust-analyzer")
            .current_dir(root)
            .env("CARGO_TARGET_DIR", root.join("target"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it has told its version");
        let to = server.stdin.take().expect("it is piped");
        let from = BufReader::new(server.stdout.take().expect("it is piped"));
        let mut client = Self { server, to, from, last: 0, is_ready: false };
        client.request(
            "initialize",
            &json!({
                "processId": std::process::id(),
                "rootUri": uri(root),
                "capabilities": {
                    "textDocument": { "hover": { "contentFormat": ["markdown"] } },
                    "experimental": { "serverStatusNotification": true },
                },
                "initializationOptions": {
                    "checkOnSave": false,
                    "cachePriming": { "enable": false },
                },
            }),
        );
        client.send(&json!({ "method": "initialized", "params": {} }));
        while !client.is_ready {
            let message = client.receive();
            client.answer(&message);
        }
        Some(client)
    }

    /// What is shown where the mouse rests on byte `at` of a file.
    pub fn hover(&mut self, file: &Path, text: &str, at: usize) -> String {
        let shown = self.request("textDocument/hover", &place(file, text, at));
        shown["contents"]["value"].as_str().unwrap_or_default().to_string()
    }

    /// The files and lines, from 0 on, where what stands at byte `at` is defined.
    pub fn definitions(&mut self, file: &Path, text: &str, at: usize) -> Vec<(String, usize)> {
        let found = self.request("textDocument/definition", &place(file, text, at));
        let one = |place: &Value| {
            let path = place["uri"].as_str()?.strip_prefix("file://")?.to_string();
            Some((path, place["range"]["start"]["line"].as_u64()? as usize))
        };
        found.as_array().into_iter().flatten().filter_map(one).collect()
    }

    /// What is written between the words of a file.
    pub fn hints(&mut self, file: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(file).expect("a file of the crate");
        let start = json!({ "line": 0, "character": 0 });
        let end = json!({ "line": text.lines().count(), "character": 0 });
        let params = json!({
            "textDocument": { "uri": uri(file) },
            "range": { "start": start, "end": end },
        });
        let hints = self.request("textDocument/inlayHint", &params);
        let label = |hint: &Value| match &hint["label"] {
            Value::String(label) => label.clone(),
            parts => {
                let parts = parts.as_array().into_iter().flatten();
                parts.filter_map(|part| part["value"].as_str()).collect()
            }
        };
        hints.as_array().into_iter().flatten().map(label).collect()
    }

    fn request(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let id = self.last;
        self.send(&json!({ "id": id, "method": method, "params": params }));
        loop {
            let mut message = self.receive();
            if message["id"] == id && message.get("method").is_none() {
                assert!(message.get("error").is_none(), "{method}: {}", message["error"]);
                return message["result"].take();
            }
            self.answer(&message);
        }
    }

    /// Answers what the server asks, with nothing.
    fn answer(&mut self, message: &Value) {
        if message["method"] == "experimental/serverStatus" {
            self.is_ready = message["params"]["quiescent"] == true;
        }
        if message.get("id").is_some() && message.get("method").is_some() {
            let items = message["params"]["items"].as_array();
            let result = items.map_or(Value::Null, |items| json!(vec![Value::Null; items.len()]));
            self.send(&json!({ "id": message["id"], "result": result }));
        }
    }

    fn send(&mut self, message: &Value) {
        let mut message = message.clone();
        message["jsonrpc"] = json!("2.0");
        let text = message.to_string();
        write!(self.to, "Content-Length: {}\r\n\r\n{text}", text.len()).expect("it runs");
        self.to.flush().expect("it runs");
    }

    fn receive(&mut self) -> Value {
        let mut length = 0;
        loop {
            let mut line = String::new();
            let read = self.from.read_line(&mut line).expect("it runs");
            assert!(read > 0, "rust-analyzer has ended");
            match line.trim().split_once(": ") {
                Some(("Content-Length", text)) => length = text.parse().expect("a number"),
                None => break,
                Some(_) => {}
            }
        }
        let mut text = vec![0; length];
        self.from.read_exact(&mut text).expect("it runs");
        serde_json::from_slice(&text).expect("JSON")
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// Byte `at` of a file, in lines and UTF-16.
fn place(file: &Path, text: &str, at: usize) -> Value {
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    json!({
        "textDocument": { "uri": uri(file) },
        "position": {
            "line": before.matches('\n').count(),
            "character": before[start..].encode_utf16().count(),
        },
    })
}
