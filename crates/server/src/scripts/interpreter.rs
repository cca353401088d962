//! The interpreter: what a script may use, and how much of it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rhai::{
    AST, CallFnOptions, Engine, OptimizationLevel, ParseError, Scope,
    packages::{ArithmeticPackage, BasicStringPackage, LogicPackage, Package},
};

use rescind_ledger::Scripts;

use super::{
    Event,
    answer::{self, Answer},
    event::{self, Seen},
    failure::{Failure, NotAScript, brief},
    text,
};

/// The function that every script has.
const FUNCTION: &str = "revoke";

// What one run may use. Together they bound its memory: so many calls with so many variables, each of which holds at most one
// string. They bound the stack as well: see the test that goes to both limits at once.
const OPERATIONS: u64 = 100_000;
const CALLS: usize = 12;
const EXPRESSIONS: usize = 32;
const VARIABLES: usize = 64;
const FUNCTIONS: usize = 128;
const STRING: usize = 16 << 10;

/// Looks at the watch once in so many operations.
const LOOK_EVERY: u64 = 64;

/// How much time has passed since some moment that stays the same.
pub type Watch = Arc<dyn Fn() -> Duration + Send + Sync>;

/// A script that was compiled.
pub struct Compiled(AST);

/// Runs scripts, one at a time.
pub struct Interpreter {
    engine: Engine,
    watch: Watch,
    /// When the present run has to be over, in nanoseconds on the watch.
    deadline: Arc<AtomicU64>,
}

impl Interpreter {
    #[must_use]
    pub fn new(watch: Watch) -> Self {
        let mut engine = bare_engine();
        let deadline = Arc::new(AtomicU64::new(u64::MAX));
        let (looked_at, until) = (watch.clone(), deadline.clone());
        engine.on_progress(move |operations| {
            let over = operations % LOOK_EVERY == 0 && nanos(looked_at()) > until.load(Ordering::Relaxed);
            over.then(|| "time".into())
        });
        Self { engine, watch, deadline }
    }

    /// One for scripts that are done in a moment, on whatever stack there is left: it gives up early.
    #[must_use]
    pub fn brief(watch: Watch) -> Self {
        let mut interpreter = Self::new(watch);
        interpreter.engine.set_max_operations(2000).set_max_call_levels(4);
        interpreter
    }

    /// Asks a script about an event.
    pub fn run(&self, script: &Compiled, event: &Arc<Event>, time: Duration) -> Result<Answer, Failure> {
        self.deadline.store(nanos((self.watch)().saturating_add(time)), Ordering::Relaxed);
        let call = || {
            let options = CallFnOptions::new().eval_ast(false);
            let arguments = (Seen(event.clone()),);
            self.engine.call_fn_with_options::<rhai::Dynamic>(
                options,
                &mut Scope::new(),
                &script.0,
                FUNCTION,
                arguments,
            )
        };
        // Nothing is known to panic; if something does, the revocation must not be lost with the thread.
        let given = catch_unwind(AssertUnwindSafe(call)).map_err(|_| Failure::Panicked)?;
        let given = given.map_err(|why| Failure::of(*why))?;
        let kind = self.engine.map_type_name(given.type_name()).to_owned();
        given.try_cast::<Answer>().ok_or(Failure::NoAnswer(kind))
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Compiles a script.
///
/// # Errors
/// [`NotAScript`] says what is wrong with it.
pub fn compile(source: &str) -> Result<Compiled, NotAScript> {
    if source.len() > Scripts::SOURCE_LIMIT {
        return Err(NotAScript::TooLong);
    }
    let mut engine = bare_engine();
    let ast = engine.compile(source).map_err(|why: ParseError| NotAScript::Syntax(brief(&why.to_string())))?;
    let has_function = ast.iter_functions().any(|function| function.name == FUNCTION && function.params.len() == 1);
    if !has_function {
        return Err(NotAScript::NoFunction);
    }
    // Statements outside of functions would never be run. One that begins shows that there is one.
    engine.on_progress(|_| Some("statement".into()));
    match engine.run_ast(&ast) {
        Ok(()) => Ok(Compiled(ast)),
        Err(why) => Err(NotAScript::Statement(why.position().line())),
    }
}

/// What the language has and scripts do not. Maps and function pointers with arguments bound to them hold values in values
/// without the engine counting all of them; arrays, closures, modules, time and floating point are left out by features of
/// the crate. `eval` hides what a script does from those who read it, and output goes nowhere.
const WITHOUT: [&str; 7] = ["#{", "Fn", "call", "curry", "debug", "eval", "print"];

/// An engine to which nothing of the world was given: no files, no network, no modules, no clock, no output. `sleep`, `exit`
/// and the like stand in the language's core package, which is left out, and so is every package whose functions need a loop.
fn bare_engine() -> Engine {
    let mut engine = Engine::new_raw();
    engine
        .register_global_module(ArithmeticPackage::new().as_shared_module())
        .register_global_module(BasicStringPackage::new().as_shared_module())
        .register_global_module(LogicPackage::new().as_shared_module())
        .set_optimization_level(OptimizationLevel::None)
        .set_max_operations(OPERATIONS)
        .set_max_call_levels(CALLS)
        .set_max_expr_depths(EXPRESSIONS, EXPRESSIONS)
        .set_max_variables(VARIABLES)
        .set_max_functions(FUNCTIONS)
        .set_max_string_size(STRING)
        .set_strict_variables(true)
        .set_allow_anonymous_fn(false);
    for symbol in WITHOUT {
        engine.disable_symbol(symbol);
    }
    event::register(&mut engine);
    answer::register(&mut engine);
    text::register(&mut engine);
    engine
}
