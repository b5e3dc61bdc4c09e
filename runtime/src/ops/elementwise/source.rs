//! The elementwise functions in C, written from their Rust: the language of `functions!` is so small that
//! both have it, but for the notation of conditions, methods and numbers.

/// The table of functions as it stands in Rust.
pub struct Source {
    /// Names and values.
    pub constants: &'static [(&'static str, &'static str)],
    /// Names, arguments and bodies.
    pub functions: &'static [(&'static str, &'static [&'static str], &'static str)],
}

impl Source {
    /// All functions in C, in a namespace `f`.
    ///
    /// # Panics
    /// When a body has what the language does not have (a bug of this library).
    pub fn in_c(&self) -> String {
        let mut text = String::from("namespace f {\n");
        for (name, value) in self.constants {
            text += &format!("constexpr float {name} = {};\n", number(value));
        }
        for (name, args, body) in self.functions {
            let typed: Vec<_> = args.iter().map(|arg| format!("float {arg}")).collect();
            let body = Reader::new(name, body).body(args);
            text += &format!("DEVICE float {name}({}) {{ {body} }}\n", typed.join(", "));
        }
        text + "}  // namespace f\n"
    }
}

/// `0.044_715` as `0.044715f`.
fn number(text: &str) -> String {
    let digits: String = text.chars().filter(|c| *c != '_').collect();
    assert!(digits.contains(['.', 'e']), "gradiron: `{text}` is no float (a bug)");
    digits + "f"
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// The words and signs of a text.
fn tokens(mut text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    loop {
        text = text.trim_start();
        let Some(first) = text.chars().next() else { return tokens };
        let two = text.get(..2).unwrap_or_default();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let word = text.find(|c| !is_word(c)).unwrap_or(text.len());
        let len = match first {
            '0'..='9' => {
                // A point and what is behind it; an exponent may be negative.
                let after =
                    |at: usize| text[at..].find(|c| !is_word(c)).map_or(text.len(), |n| at + n);
                let mut end = word;
                if text[end..].starts_with('.') {
                    end = after(end + 1);
                }
                if text[..end].ends_with('e') && text[end..].starts_with('-') {
                    end = after(end + 1);
                }
                end
            }
            _ if is_word(first) => word,
            _ if ["::", "<=", ">=", "==", "!=", "&&", "||"].contains(&two) => 2,
            _ => first.len_utf8(),
        };
        tokens.push(&text[..len]);
        text = &text[len..];
    }
}

/// Reads a body.
struct Reader<'a> {
    /// What it is the body of.
    name: &'a str,
    tokens: std::iter::Peekable<std::vec::IntoIter<&'a str>>,
}

impl<'a> Reader<'a> {
    fn new(name: &'a str, body: &'a str) -> Self {
        Self { name, tokens: tokens(body).into_iter().peekable() }
    }

    fn peek(&mut self) -> &'a str {
        self.tokens.peek().copied().unwrap_or_default()
    }

    fn next(&mut self) -> &'a str {
        self.tokens.next().unwrap_or_default()
    }

    /// Passes over what has to be there.
    fn expect(&mut self, token: &str) {
        let (found, name) = (self.next(), self.name);
        assert!(found == token, "gradiron: `{name}` has `{found}` in place of `{token}` (a bug)");
    }

    /// Statements in place of a whole body.
    fn body(mut self, args: &[&'a str]) -> String {
        let mut known = args.to_vec();
        let mut text = String::new();
        let is_block = self.peek() == "{";
        if is_block {
            self.next();
        }
        while self.peek() == "let" {
            self.next();
            let name = self.next();
            self.expect("=");
            let value = self.expression();
            self.expect(";");
            // A second variable of a name takes the place of the first.
            let kind = if known.contains(&name) { "" } else { "float " };
            text += &format!("{kind}{name} = {value}; ");
            known.push(name);
        }
        let result = self.expression();
        if is_block {
            self.expect("}");
        }
        self.expect("");
        format!("{text}return {result};")
    }

    /// Up to what closes it, or separates it from the next.
    fn expression(&mut self) -> String {
        let mut parts: Vec<String> = Vec::new();
        loop {
            let part = match self.peek() {
                "" | ")" | "," | ";" | "{" | "}" => break,
                "if" => self.condition(),
                "(" => {
                    self.next();
                    let inner = self.expression();
                    self.expect(")");
                    format!("({inner})")
                }
                token if is_name(token) => self.operand(),
                token if token.starts_with(|c: char| c.is_ascii_digit()) => number(self.next()),
                _ => self.next().to_string(),
            };
            parts.push(part);
        }
        assert!(!parts.is_empty(), "gradiron: a part of `{}` is empty (a bug)", self.name);
        parts.join(" ")
    }

    /// `if c { a } else { b }` as `(c ? a : b)`.
    fn condition(&mut self) -> String {
        self.expect("if");
        let condition = self.expression();
        let yes = self.branch();
        self.expect("else");
        let no = if self.peek() == "if" { self.condition() } else { self.branch() };
        format!("({condition} ? {yes} : {no})")
    }

    fn branch(&mut self) -> String {
        self.expect("{");
        let branch = self.expression();
        self.expect("}");
        branch
    }

    /// A variable, a constant or a call: `x.abs()` is `math::abs(x)`, and so is what the arithmetic `A` has.
    fn operand(&mut self) -> String {
        let mut path = vec![self.next()];
        while self.peek() == "::" {
            self.next();
            if self.peek() == "<" {
                ["<", "A", ">"].into_iter().for_each(|token| self.expect(token));
            } else {
                path.push(self.next());
            }
        }
        if path[0] == "A" {
            path[0] = "math";
        }
        let mut text = path.join("::");
        if self.peek() == "(" {
            text += &format!("({})", self.arguments().join(", "));
        }
        while self.peek() == "." {
            self.next();
            let method = self.next();
            let arguments = [vec![text], self.arguments()].concat();
            text = format!("math::{method}({})", arguments.join(", "));
        }
        text
    }

    fn arguments(&mut self) -> Vec<String> {
        self.expect("(");
        let mut arguments = Vec::new();
        while self.peek() != ")" {
            arguments.push(self.expression());
            if self.peek() == "," {
                self.next();
            }
        }
        self.expect(")");
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::super::functions::SOURCE;
    use super::Source;

    fn in_c(args: &'static [&'static str], body: &'static str) -> String {
        let functions = Box::leak(Box::new([("g", args, body)]));
        let text = Source { constants: &[], functions }.in_c();
        text.lines().nth(1).expect("a function").to_string()
    }

    #[test]
    fn every_construct_has_its_notation() {
        let text = in_c(
            &["x", "t"],
            "{ let x = if x < -1e-3 { 0.5 } else { A::mul_add(x, t, 1_0.0) }; \
            let y = -x.powf(t - 1.0); if x == 0.0 || y.is_nan() { y } else { math::exp::<A>((x)) } }",
        );
        assert_eq!(
            text,
            "DEVICE float g(float x, float t) { \
             x = (x < - 1e-3f ? 0.5f : math::mul_add(x, t, 10.0f)); \
             float y = - math::powf(x, t - 1.0f); \
             return (x == 0.0f || math::is_nan(y) ? y : math::exp((x))); }"
        );
        let text = in_c(&["x"], "if x > 1.0 { x } else if x > 0.0 { f::<A>(x) } else { x }");
        assert!(text.contains("return (x > 1.0f ? x : (x > 0.0f ? f(x) : x));"), "{text}");
    }

    #[test]
    #[should_panic(expected = "`g` has `;` in place of")]
    fn what_the_language_does_not_have_is_refused() {
        in_c(&["x"], "if x > 0.0 { let y = x; y } else { x }");
    }

    #[test]
    fn all_functions_are_written() {
        let text = SOURCE.in_c();
        assert_eq!(text.matches("DEVICE float").count(), SOURCE.functions.len());
        assert!(text.contains("DEVICE float relu(float x) { return (x <= 0.0f ? 0.0f : x); }"));
        // What only Rust has.
        for word in ["let ", "if ", "::<", "A::", ".abs", "_f"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        // Numbers would be of twice the size.
        let is_double = |word: &str| {
            word.contains('.')
                && word.starts_with(|c: char| c.is_ascii_digit())
                && !word.ends_with('f')
        };
        let separators = |c: char| c.is_whitespace() || "(),;".contains(c);
        assert_eq!(text.split(separators).find(|word| is_double(word)), None);
    }
}
