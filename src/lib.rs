//! Scrim: a role-based data-masking proxy for PostgreSQL.
//!
//! Clients connect as if Scrim were the database. Each session has a role, and PostgreSQL answers every
//! statement as it would on a copy of the database in which every column holds its mask for that role, every
//! row the role may not see is gone, and everything hidden does not exist. That is *the law*; when Scrim
//! cannot be sure that it holds for a statement, it refuses the statement and the session goes on.
//!
//! # The map of the house
//!
//! The core is pure: values in, values out, no clock, no I/O, no async, no logging.
//!
//! | room | what it is for | what it must never do |
//! | --- | --- | --- |
//! | [`text`] | sources, spans, diagnostics; the only place that draws carets | know what it quotes |
//! | [`rules`] | YAML → [`rules::RuleSet`], or *all* diagnostics | look at a database |
//! | [`catalog`] | a snapshot of the database's catalog, name resolution | decide anything |
//! | [`mask`] | mask specification × column type → SQL expression, and for some the same in Rust | know roles or statements |
//! | [`policy`] | rules × snapshot → [`policy::RoleView`]: what a role sees of each relation | read SQL statements |
//! | [`forms`] | what values of a kind look like, alone and inside a text | keep what it looks at |
//! | [`scan`] | names, types and a sample of values → a classification to review | let a value out, or print one |
//! | [`changes`] | two rule sets × a snapshot → who sees more, who less | call less what is not proven to be |
//! | [`explain`] | what happens to a statement, who sees a column, what a user sees | send anything |
//! | [`report`] | the audit trail, record by record, against the rules → who saw which kinds of data, and who a row | obey a name that stands in the trail |
//! | [`grants`] | what somebody may see for a while: asked for, agreed to, over | know the time, let one person agree with themselves |
//! | [`sql`] | canonicalise → gate → rewrite → verify → fill | send anything |
//! | [`guard`] | the judge of results: provenance, plans, error texts, what a role has looked for, masks that rows get as they pass, and the keys of rows that are to be on record | trust `sql`, keep what it finds |
//! | [`wire`] | bytes ↔ frames ↔ messages | know SQL |
//!
//! The shell moves bytes:
//!
//! | room | what it is for | what it must never do |
//! | --- | --- | --- |
//! | [`config`] | `scrim.yaml` | hold a secret that prints |
//! | [`http`] | one request to an address of the configuration | follow where an answer leads |
//! | [`tokens`] | JSON Web Tokens and their issuer's keys | let a token, or a claim of one, print |
//! | [`audit`] | records, the hash chain, the writer, and who gets a copy | see a value or a literal, but for keys of rows |
//! | [`ledger`] | grants in a file or a shared database, and what of them is in force | grant what it cannot read |
//! | [`upstream`] | one server connection: TLS, login, queries of our own | know sessions |
//! | [`shadow`] | statements by rules that are not in force; what would change | be on a statement's way |
//! | [`pool`] | server connections that sessions share | look at what they say |
//! | [`session`] | one client: greeting, login, the queue of expected replies | parse SQL |
//! | [`metrics`] | what is counted | hold what a client chose |
//! | [`telemetry`] | spans for a collector | hold a text, a value or a name of a client |
//! | [`admin`] | health and figures over HTTP | know sessions |
//! | [`console`] | pages for people on the admin address, behind a login | show a value but to whom a session of theirs shows it |
//! | [`service`] | the process: start, reload, stop | decide about a statement |
//! | [`trials`] | the rule tests: cases, a Scrim of their own, what holds | decide what a role sees |
//! | [`demo`] | a private PostgreSQL with the sample database | touch any other server |
//! | [`cli`] | a file a command | hold logic a test cannot reach without a process |
//!
//! A room may use only what stands below it:
//!
//! ```text
//! main → cli → demo, service → admin, console → trials → session, shadow
//! session → sql, guard, audit, pool, upstream, wire, metrics, tokens, telemetry, shadow, ledger
//! shadow → sql, changes, metrics
//! sql, changes → policy → mask, catalog, rules → text
//! ledger → grants, upstream          grants → policy, rules
//! scan → forms → mask, rules         report → changes, guard → policy         console → report, explain, ledger → changes, grants, sql
//! pool → upstream → wire          guard → forms, policy, rules, wire          tokens, telemetry → http          admin → metrics          audit → upstream          metrics, http → nothing
//! ```
//!
//! A statement flows once, left to right: `wire` (frame) → `session` (whose, which state) → `sql`
//! ([`sql::Plan`] or [`sql::Refusal`]) → `audit` (accepted) → `upstream` (bytes) → `guard` (row description,
//! errors) → `wire`.

pub mod admin;
pub mod audit;
pub mod catalog;
pub mod changes;
pub mod cli;
pub mod config;
pub mod console;
pub mod demo;
pub mod explain;
pub mod forms;
pub mod grammar;
pub mod grants;
pub mod guard;
pub mod http;
pub mod ledger;
pub mod mask;
pub mod metrics;
pub mod policy;
pub mod pool;
pub mod report;
pub mod rules;
pub mod scan;
pub mod service;
pub mod session;
pub mod shadow;
pub mod sql;
pub mod telemetry;
pub mod text;
pub mod tokens;
pub mod trials;
pub mod upstream;
pub mod wire;
