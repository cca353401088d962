//! The rescind server and its command line.

fn main() -> std::process::ExitCode {
    rescind::cli::main(std::env::args_os())
}
