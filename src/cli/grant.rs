//! `scrim grant`: temporary access, asked for, agreed to, taken back.

mod asking;
mod who;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::{Config, ProcessEnvironment, load_rules};
use crate::grants::{Grant, How, Wanted, approve, reject, revoke};
use crate::ledger::{Fault, Ledger, Place, made_by_hand, make};
use crate::rules::RuleSet;

/// Temporary access: what a user may see for a while that the role does not show.
///
/// The rules say of a role what can be granted (`grants`). Where they ask for approval, another person than who asks and
/// who gains by it has to agree. What is granted holds in live sessions from their next statement on, and so does its end.
/// Whoever does something here is known by a password of the rules, which is asked for, read from a line of standard
/// input, or taken from SCRIM_USER_PASSWORD.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    override_usage = "scrim grant <USER> --mask <TAG=MASK> --rows <CONDITION> --for <TIME> --because <TEXT> --as <USER>\n       scrim grant <COMMAND>"
)]
#[command(after_help = "\
Examples:
  scrim grant alice --mask contact.phone=clear --rows \"id = 42\" --for 30m --because T-123 --as alice
  scrim grant list
  scrim grant approve 7 --as lea
  scrim grant reject 7 --as lea
  scrim grant revoke 7 --as alice
  scrim grant break-glass --mask contact.phone=clear --rows \"id = 42\" --for 30m --because T-123 --as alice
  scrim grant init --sql     (where `store` is a PostgreSQL that several Scrims share)

docs/grants.md has what a grant opens, and what it does not. For a user whose name is that of a command: `scrim grant ask list …`.

Exit status: 0 when it is done, 1 when it may not be done or cannot be.")]
pub struct GrantArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Asks for a grant; `ask` may be left out.
    Ask(AskArgs),
    /// Those that are asked for and in force.
    List(ListArgs),
    /// Agrees to a request; not one's own, nor one from which one gains.
    Approve(DecideArgs),
    /// Does not agree to a request.
    Reject(DecideArgs),
    /// Takes a grant back, or a request.
    Revoke(DecideArgs),
    /// Opens something to oneself at once, without asking anybody, where the rules let one. An alarm is raised.
    BreakGlass(BreakGlassArgs),
    /// Makes the tables of a store that is a PostgreSQL, or prints how.
    Init(InitArgs),
    /// What begins with the name of a user.
    #[command(external_subcommand)]
    Of(Vec<String>),
}

/// `ask`, without the word.
#[derive(Debug, Parser)]
#[command(name = "scrim grant", no_binary_name = true)]
struct Asked {
    #[command(flatten)]
    ask: AskArgs,
}

#[derive(Debug, Args)]
struct AskArgs {
    /// Who is to see it.
    #[arg(value_name = "USER")]
    user: String,
    #[command(flatten)]
    wanted: WantedArgs,
}

#[derive(Debug, Args)]
struct BreakGlassArgs {
    #[command(flatten)]
    wanted: WantedArgs,
}

#[derive(Debug, Args)]
struct WantedArgs {
    /// A tag, and the mask that is to be seen of it; may be given more than once.
    #[arg(long = "mask", value_name = "TAG=MASK", required = true)]
    masks: Vec<String>,
    /// The table that is meant; otherwise whatever has the tags, which with --rows must be in one table.
    #[arg(long, value_name = "TABLE")]
    table: Option<String>,
    /// The rows that are meant: SQL over the table's columns, those that the role sees clear. Rows that fulfil it now, and
    /// still do when they are read, are opened; at most 100.
    #[arg(long, value_name = "CONDITION")]
    rows: Option<String>,
    /// These rows are to be seen though the role's own filter drops them.
    #[arg(long, requires = "rows")]
    widen_rows: bool,
    /// For how long: 90s, 30m, 8h, 2d.
    #[arg(long = "for", value_name = "TIME")]
    lasts: String,
    /// Why: a ticket, a reason.
    #[arg(long, value_name = "TEXT")]
    because: String,
    /// The role of the user; otherwise the first one.
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// The database; otherwise the one that `check` looks at.
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    #[command(flatten)]
    common: CommonArgs,
    /// Who you are.
    #[arg(long = "as", value_name = "USER")]
    by: String,
}

#[derive(Debug, Args)]
struct DecideArgs {
    /// Its number, which `scrim grant list` shows.
    #[arg(value_name = "NUMBER")]
    number: u64,
    #[command(flatten)]
    common: CommonArgs,
    /// Who you are.
    #[arg(long = "as", value_name = "USER")]
    by: String,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Those that are over, rejected and taken back too.
    #[arg(long)]
    all: bool,
    /// Of this user alone.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// For people or for programs.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Args)]
struct InitArgs {
    /// Print the SQL for an owner of the database, after which the account of scrim.yaml owns nothing; nobody is asked.
    #[arg(long)]
    sql: bool,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Args)]
struct CommonArgs {
    /// The configuration file.
    #[arg(long, default_value = "scrim.yaml", value_name = "FILE")]
    config: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl GrantArgs {
    /// Exit code 0 or 1.
    pub async fn run(self) -> ExitCode {
        let what = match self.what {
            What::Of(words) => match Asked::try_parse_from(words) {
                Ok(asked) => What::Ask(asked.ask),
                Err(error) => {
                    // Standard error may be gone; there is nobody else to tell.
                    let _ = error.print();
                    return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
                }
            },
            what => what,
        };
        let done = match what {
            What::Ask(args) => ask(Some(args.user), args.wanted, How::Ask).await,
            What::BreakGlass(args) => ask(None, args.wanted, How::BreakGlass).await,
            What::List(args) => list(&args).await,
            What::Approve(args) => decide(&args, Decision::Approve).await,
            What::Reject(args) => decide(&args, Decision::Reject).await,
            What::Revoke(args) => decide(&args, Decision::Revoke).await,
            What::Init(args) => init(&args).await,
            What::Of(_) => Err("error: for whom?".to_owned()),
        };
        match done {
            Ok(text) => {
                super::print(&text);
                ExitCode::SUCCESS
            }
            Err(text) => {
                super::complain(&text);
                ExitCode::FAILURE
            }
        }
    }
}

async fn ask(user: Option<String>, args: WantedArgs, how: How) -> Result<String, String> {
    let (config, rules) = read(&args.common.config)?;
    // Opened first: nobody is asked for a password for nothing.
    let mut ledger = open(&config, &args.common.config).await?;
    let by = who::proven(&args.by, &rules)?;
    let wanted = Wanted {
        user: user.unwrap_or_else(|| by.name.clone()),
        role: args.role,
        database: args.database.unwrap_or_else(|| config.database.clone()),
        masks: args.masks,
        table: args.table,
        rows: args.rows,
        widens: args.widen_rows,
        lasts: args.lasts,
        because: args.because,
    };
    let grant = asking::ask(wanted, &by, how, (&config, &mut ledger), rules).await?;
    let grant = ledger.add(grant).await.map_err(told)?;
    let now = ledger.now().await.map_err(told)?;
    let next = match grant.is_in_force(now) {
        true => "it is in force".to_owned(),
        false => format!("another person has to agree: scrim grant approve {}", grant.number),
    };
    Ok(format!("{}\n{next}", grant.told(now)))
}

#[derive(Clone, Copy)]
enum Decision {
    Approve,
    Reject,
    Revoke,
}

async fn decide(args: &DecideArgs, decision: Decision) -> Result<String, String> {
    let (config, rules) = read(&args.common.config)?;
    let mut ledger = open(&config, &args.common.config).await?;
    let by = who::proven(&args.by, &rules)?;
    let action = match decision {
        Decision::Approve => "approved",
        Decision::Reject => "rejected",
        Decision::Revoke => "revoked",
    };
    let mut at = 0;
    let changed = ledger.change(args.number, action, |grant, now| {
        at = now;
        match decision {
            Decision::Approve => approve(grant, &by, &rules, now),
            Decision::Reject => reject(grant, &by, &rules, now),
            Decision::Revoke => revoke(grant, &by, &rules, now),
        }
    });
    Ok(changed.await.map_err(told)?.told(at))
}

async fn list(args: &ListArgs) -> Result<String, String> {
    let (config, _) = read(&args.common.config)?;
    let mut ledger = open(&config, &args.common.config).await?;
    let now = ledger.now().await.map_err(told)?;
    let of_user = |grant: &Grant| args.user.as_ref().is_none_or(|user| grant.wish.user == *user);
    let shown = |grant: &Grant| args.all || grant.is_in_force(now) || grant.status(now) == "asked";
    let grants = ledger.grants(args.all).await.map_err(told)?;
    let grants: Vec<Grant> =
        grants.into_iter().filter(|grant| of_user(grant) && shown(grant)).collect();
    match args.format {
        Format::Json => {
            let all: Vec<_> = grants.iter().map(|grant| grant.to_json(now)).collect();
            serde_json::to_string_pretty(&all).map_err(|error| format!("error: {error}"))
        }
        Format::Text if grants.is_empty() => Ok("no grant is asked for or in force".to_owned()),
        Format::Text => {
            let all: Vec<String> = grants.iter().map(|grant| grant.told(now)).collect();
            Ok(all.join("\n\n"))
        }
    }
}

async fn init(args: &InitArgs) -> Result<String, String> {
    let config = Config::load(&args.common.config, &ProcessEnvironment).map_err(|found| found.0)?;
    let place = match place(&config, &args.common.config)? {
        Place::Shared(place) => place,
        Place::File(path) => {
            return Err(format!(
                "error: grants are kept in the file {}, which needs no `init`: it is made when it is first used",
                path.display()
            ));
        }
    };
    if args.sql {
        return Ok(made_by_hand(place));
    }
    make(place).await.map_err(told)?;
    Ok(format!(
        "made a store of grants in database `{}`, which belongs to account `{}`\n`--sql` would have printed how another \
         account owns it",
        place.database, place.endpoint.user
    ))
}

/// Grants of a user that are in force, for who explains the user, and what time it is where they are kept; `None`: they are
/// kept nowhere.
pub(super) async fn in_force_of(
    config: &Config,
    user: &str,
) -> Result<Option<(Vec<Grant>, i64)>, String> {
    let Some(options) = &config.grants else { return Ok(None) };
    let mut ledger = Ledger::open(&options.place).await.map_err(told)?;
    let now = ledger.now().await.map_err(told)?;
    let grants = ledger.grants(false).await.map_err(told)?;
    let of_user = |grant: &Grant| grant.wish.user == user && grant.is_in_force(now);
    Ok(Some((grants.into_iter().filter(of_user).collect(), now)))
}

/// Whether a store that is a PostgreSQL can be used. A file is made when it is.
pub(super) async fn check(config: &Config) -> Result<(), String> {
    match config.grants.as_ref().map(|options| &options.place) {
        Some(place @ Place::Shared(_)) => Ledger::open(place).await.map(drop).map_err(told),
        Some(Place::File(_)) | None => Ok(()),
    }
}

fn read(file: &Path) -> Result<(Config, RuleSet), String> {
    let config = Config::load(file, &ProcessEnvironment).map_err(|found| found.0)?;
    let (rules, _) = load_rules(&config.rules, &ProcessEnvironment).map_err(|found| found.0)?;
    Ok((config, rules))
}

async fn open(config: &Config, file: &Path) -> Result<Ledger, String> {
    Ledger::open(place(config, file)?).await.map_err(told)
}

fn place<'c>(config: &'c Config, file: &Path) -> Result<&'c Place, String> {
    let options = config.grants.as_ref().ok_or_else(|| {
        format!(
            "error: {} has no `grants`\n  `grants: {{store: grants.db}}` names the file in which they are kept; \
             docs/grants.md has a database instead",
            file.display()
        )
    })?;
    Ok(&options.place)
}

fn told(fault: Fault) -> String {
    format!("error: {fault}")
}
