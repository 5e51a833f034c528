//! Joins the translations of the pieces of a text.

use rnnsearch_alignment::{Alignment, Sentence, Token};

use crate::{Candidate, Ranking};

/// The candidates of a text from those of its pieces, each with the byte of the text where it starts: the best of each
/// piece together, then the second best, and so on while every piece has one.
pub(crate) fn join(text: &str, pieces: &[(usize, Vec<Candidate>)], ranking: &Ranking) -> Vec<Candidate> {
    let count = pieces.iter().map(|(_, candidates)| candidates.len()).min().unwrap_or(0);
    (0..count)
        .map(|rank| {
            let parts: Vec<(usize, &Candidate)> =
                pieces.iter().map(|(start, candidates)| (*start, &candidates[rank])).collect();
            joined(text, &parts, ranking)
        })
        .collect()
}

fn joined(text: &str, parts: &[(usize, &Candidate)], ranking: &Ranking) -> Candidate {
    let mut target = String::new();
    let mut starts = Vec::new();
    for (at, (start, part)) in parts.iter().enumerate() {
        // Pieces cut at a blank are joined by one; those cut elsewhere are not.
        if at > 0 && text[..*start].ends_with(char::is_whitespace) {
            target.push(' ');
        }
        starts.push(target.len());
        target.push_str(&part.text);
    }
    let log_prob = parts.iter().map(|(_, part)| part.log_prob).sum();
    let coverage = parts.iter().map(|(_, part)| part.coverage).sum();
    let length: usize = parts.iter().map(|(_, part)| part.length).sum();
    Candidate {
        log_prob,
        coverage,
        score: ranking.score(log_prob, length, coverage),
        length,
        finished: parts.iter().all(|(_, part)| part.finished),
        alignment: alignment(text, &target, parts, &starts),
        tokens: parts.iter().flat_map(|(_, part)| part.tokens.iter().cloned()).collect(),
        text: target,
    }
}

/// The matrices of the pieces along the diagonal. Only the last piece keeps its end of sentence; elsewhere the weight on it
/// is shared by the words.
fn alignment(text: &str, target: &str, parts: &[(usize, &Candidate)], starts: &[usize]) -> Option<Alignment> {
    let matrices: Option<Vec<&Alignment>> = parts.iter().map(|(_, part)| part.alignment.as_ref()).collect();
    let matrices = matrices?;
    let last = matrices.len() - 1;
    let (mut source_tokens, mut target_tokens) = (Vec::new(), Vec::new());
    let mut blocks: Vec<(usize, Vec<Vec<f32>>)> = Vec::new();
    for (index, matrix) in matrices.iter().enumerate() {
        let keep = |sentence: &Sentence| sentence.len() - usize::from(index < last && sentence.has_end());
        let (columns, rows) = (keep(matrix.source()), keep(matrix.target()));
        let block = matrix.rows().take(rows).map(|row| normalized(&row[..columns])).collect();
        blocks.push((source_tokens.len(), block));
        source_tokens.extend(moved(matrix.source(), columns, parts[index].0));
        target_tokens.extend(moved(matrix.target(), rows, starts[index]));
    }
    let width = source_tokens.len();
    let mut weights = Vec::new();
    for (first, row) in blocks.iter().flat_map(|(first, block)| block.iter().map(move |row| (*first, row))) {
        let start = weights.len();
        weights.resize(start + width, 0.0);
        weights[start + first..start + first + row.len()].copy_from_slice(row);
    }
    let source = Sentence::new(text, source_tokens).ok()?;
    let target = Sentence::new(target, target_tokens).ok()?;
    Alignment::new(source, target, weights).ok()
}

/// The first tokens of a sentence, at their place in a longer text.
fn moved(sentence: &Sentence, count: usize, by: usize) -> Vec<Token> {
    let token = |token: &Token| match token.span() {
        Some(span) => Token::new(token.label(), span.start + by..span.end + by),
        None => Token::end(),
    };
    sentence.tokens()[..count].iter().map(token).collect()
}

fn normalized(row: &[f32]) -> Vec<f32> {
    let sum: f32 = row.iter().sum();
    if sum > 0.0 { row.iter().map(|weight| weight / sum).collect() } else { row.to_vec() }
}
