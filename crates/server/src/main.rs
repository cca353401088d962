//! The rescind server and its command line.

/// A request makes some dozens of small allocations, which the system's allocator spends a fifth of the time on.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    rescind::cli::main(std::env::args_os())
}
