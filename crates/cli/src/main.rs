//! `ghmesh`: one GitHub API call for a whole fleet of runners.

mod admin;
mod args;
mod config;
mod connection;
mod demo;
mod doctor;
mod env;
mod fleet;
mod hidden;
mod invalidate;
mod known_peers;
mod listen;
mod log;
mod metrics;
mod node;
mod node_client;
mod out;
mod proxy;
mod report;
mod serve;
mod settings;
mod show;
mod signals;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command, SecretCommand};
use crate::config::ConfigError;

/// Wrong usage, or a configuration that cannot be.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return answer(&hidden::refusal(error)),
    };
    match run(args) {
        Ok(code) => code,
        Err(error) if out::is_unread(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let said = hidden::message(format_args!("{error:#}"));
            eprintln!("ghmesh: {said}");
            if error.downcast_ref::<ConfigError>().is_some() {
                ExitCode::from(EXIT_USAGE)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

/// Prints what clap has to say in place of what was asked for: help, or a refusal.
fn answer(error: &clap::Error) -> ExitCode {
    let said = error.render().to_string();
    let shown = hidden::message(&said);
    if shown == said {
        // In colour, where there is a terminal. Nobody is left to be told that it cannot be printed.
        let _ = error.print();
    } else {
        eprint!("{shown}");
    }
    if error.use_stderr() {
        ExitCode::from(EXIT_USAGE)
    } else {
        ExitCode::SUCCESS
    }
}

fn run(args: Args) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        match args.command {
            Command::Serve(serve) => serve::run(*serve).await?,
            Command::Stats(stats) => show::stats(&stats).await?,
            Command::Peers(peers) => show::peers(&peers).await?,
            Command::Invalidate(what) => invalidate::run(&what).await?,
            Command::Doctor(doctor) => return doctor::run(*doctor).await,
            Command::Demo(demo) => return demo::run(&demo).await,
            Command::Secret(SecretCommand::New) => {
                out::line(cache_crypto::Secret::generate()?.expose())?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}
