//! `rnnsearch export`

use anyhow::Result;
use indicatif::HumanBytes;
use rnnsearch_inference::Model;

use crate::args::Export;
use crate::failure::Misuse;
use crate::messages::Messages;
use crate::output::OutputFile;

/// Writes a model as one file.
pub fn run(args: &Export) -> Result<()> {
    let shown = args.file.display();
    if args.file.exists() && !args.overwrite {
        return Err(Misuse(format!("`{shown}` exists: use --overwrite to replace it, or another name")).into());
    }
    // Reading checks it: what is exported is whole.
    let bytes = Model::load(&args.run)?.to_bytes()?;
    let mut file = OutputFile::create(&args.file, &[&args.run])?;
    file.write(&bytes)?;
    file.finish()?;
    let messages = Messages { quiet: args.quiet, verbose: false };
    messages.note(format_args!("wrote `{shown}`, {}", HumanBytes(bytes.len() as u64)));
    Ok(())
}
