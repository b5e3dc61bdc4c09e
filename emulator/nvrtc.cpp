// libnvrtc.so without CUDA: a kernel's text becomes an object of the host, by g++ and the headers in
// `include`. What it gives for code is the object's path. Objects are kept, named by what they are made
// of.
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include "failures.h"

#define API extern "C" __attribute__((visibility("default")))

enum { SUCCESS = 0, FAILED = 11, COMPILATION = 6 };

struct Program {
    std::string text, log, code;
};

static std::string environment(const char* name, const char* otherwise) {
    const char* text = getenv(name);
    return text ? text : otherwise;
}

// Where this library lies, with the headers beside it.
static std::string home() { return environment("EMULATOR_HOME", "."); }

static std::vector<std::string> words(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

// Runs g++ without what is preloaded here: a sanitizer's library is for this program alone.
static bool run(const std::vector<std::string>& command, const std::string& log) {
    std::vector<char*> arguments, variables;
    for (const std::string& word : command) arguments.push_back((char*)word.c_str());
    arguments.push_back(nullptr);
    for (char** variable = environ; *variable; ++variable)
        if (strncmp(*variable, "LD_PRELOAD=", 11)) variables.push_back(*variable);
    variables.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    pid_t child;
    const int error =
        posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), variables.data());
    posix_spawn_file_actions_destroy(&actions);
    int status = 1;
    return !error && waitpid(child, &status, 0) == child && status == 0;
}

static std::string contents(const std::string& path) {
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

static bool is_there(const std::string& path) {
    struct stat status;
    return stat(path.c_str(), &status) == 0;
}

static std::string hash(const std::string& text) {
    char name[20];
    snprintf(name, sizeof name, "%016zx", std::hash<std::string>{}(text));
    return name;
}

// A name that no other thread and no other process has.
static std::string aside(const std::string& path) {
    static unsigned count = 0;
    return path + "." + std::to_string(getpid()) + "." + std::to_string(count++);
}

// The flags, with the headers compiled beforehand in the folder that comes first.
static std::vector<std::string> flags(const std::string& folder) {
    std::vector<std::string> flags = words(environment("EMULATOR_CXXFLAGS", "-O1"));
    for (const char* flag : {"-std=c++17", "-w", "-fPIC"}) flags.push_back(flag);
    std::string all;
    for (const std::string& flag : flags) all += flag + " ";
    for (const char* header : {"fibers.h", "builtins.h", "collectives.h", "matrix.h", "emulator.h"})
        all += contents(home() + "/include/" + header);
    const std::string headers = folder + "/" + hash(all);
    mkdir(headers.c_str(), 0755);
    const std::string compiled = headers + "/emulator.h.gch";
    if (!is_there(compiled)) {
        const std::string temporary = aside(compiled);
        std::vector<std::string> command = {"g++"};
        command.insert(command.end(), flags.begin(), flags.end());
        for (std::string word : {std::string("-x"), std::string("c++-header"),
                                 home() + "/include/emulator.h", std::string("-o"), temporary})
            command.push_back(word);
        if (run(command, temporary + ".log")) rename(temporary.c_str(), compiled.c_str());
        unlink((temporary + ".log").c_str());
    }
    flags.push_back("-I" + headers);
    flags.push_back("-I" + home() + "/include");
    return flags;
}

API int nvrtcVersion(int* major, int* minor) {
    MAY_FAIL;
    *major = 13;
    *minor = 0;
    return SUCCESS;
}
API const char* nvrtcGetErrorString(int error) { return error ? "an error of the emulator" : ""; }
API int nvrtcCreateProgram(void** program, const char* text, const char*, int, const char* const*,
                           const char* const*) {
    MAY_FAIL;
    *program = new Program{text, "", ""};
    return SUCCESS;
}
API int nvrtcDestroyProgram(void** program) {
    MAY_FAIL;
    delete (Program*)*program;
    return SUCCESS;
}
API int nvrtcCompileProgram(void* handle, int, const char* const*) {
    MAY_FAIL;
    static std::mutex lock;
    auto* program = (Program*)handle;
    const std::string folder = environment("EMULATOR_CACHE", (home() + "/cache").c_str());
    // A kernel may have the name of a function of libc (`advance` was one): calls stay within the library.
    std::vector<std::string> command = {"g++", "-shared", "-Wl,-Bsymbolic"};
    {
        std::lock_guard<std::mutex> guard(lock);
        mkdir(folder.c_str(), 0755);
        const auto all = flags(folder);
        command.insert(command.end(), all.begin(), all.end());
    }
    const std::string text = "#include \"emulator.h\"\n#line 1 \"kernel.cu\"\n" + program->text + "\n";
    std::string key = text;
    for (const std::string& word : command) key += word;
    const std::string object = folder + "/" + hash(key) + ".so";
    if (!is_there(object)) {
        std::string temporary;
        {
            std::lock_guard<std::mutex> guard(lock);
            temporary = aside(object);
        }
        const std::string source = temporary + ".cpp", log = temporary + ".log";
        std::ofstream(source) << text;
        for (const std::string& word : {std::string("-x"), std::string("c++"), source,
                                        std::string("-o"), temporary})
            command.push_back(word);
        const bool built = run(command, log);
        program->log = contents(log);
        unlink(log.c_str());
        unlink(source.c_str());
        if (!built) {
            if (program->log.empty()) program->log = "g++ was not found";
            return COMPILATION;
        }
        rename(temporary.c_str(), object.c_str());
    }
    program->code = "EMULATED:" + object + "\n";
    return SUCCESS;
}
API int nvrtcGetProgramLogSize(void* program, size_t* size) {
    MAY_FAIL;
    *size = ((Program*)program)->log.size() + 1;
    return SUCCESS;
}
API int nvrtcGetProgramLog(void* program, char* log) {
    MAY_FAIL;
    strcpy(log, ((Program*)program)->log.c_str());
    return SUCCESS;
}
API int nvrtcGetCUBINSize(void* program, size_t* size) {
    MAY_FAIL;
    *size = ((Program*)program)->code.size() + 1;
    return SUCCESS;
}
API int nvrtcGetCUBIN(void* program, char* code) {
    MAY_FAIL;
    strcpy(code, ((Program*)program)->code.c_str());
    return SUCCESS;
}
