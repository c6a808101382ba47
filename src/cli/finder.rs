//! Which runbook or command is about a problem that somebody tells in their own words: ranked by Okapi BM25.

use std::collections::BTreeSet;

use bm25::{DefaultTokenizer, Document, Language, SearchEngine, SearchEngineBuilder, Tokenizer};

use crate::base::words;

/// How often the words of a name, a title or a tag count, where those of a description count once.
const WEIGHT: usize = 3;

/// What of the best score a find must have: less is about something else.
const LEAST: f32 = 0.3;

/// How much a long description is held against a topic: little, since names say most, however much is said of them.
const LENGTH: f32 = 0.4;

/// What can be found.
#[derive(Clone, Debug, Default)]
pub(super) struct Topic {
    /// What it is called and tagged with: the words that say most.
    pub(super) names: String,
    /// What it is about.
    pub(super) about: String,
}

/// Finds topics.
pub(super) struct Finder {
    engine: SearchEngine<usize, u32, Words>,
    known: BTreeSet<String>,
    tokenizer: Words,
}

impl Finder {
    /// Reads the topics.
    pub(super) fn new(topics: &[Topic]) -> Self {
        let documents = topics.iter().enumerate().map(|(index, topic)| {
            let names = [topic.names.as_str(), " "].concat().repeat(WEIGHT);
            Document::new(index, format!("{names} {}", topic.about))
        });
        let documents: Vec<Document<usize>> = documents.collect();
        let known = documents.iter().flat_map(|topic| plain(&topic.contents));
        Self {
            known: known.collect(),
            engine: SearchEngineBuilder::with_tokenizer_and_documents(Words::new(), documents)
                .b(LENGTH)
                .build(),
            tokenizer: Words::new(),
        }
    }

    /// Returns the topics that are about these words, the best first.
    pub(super) fn find(&self, question: &str) -> Vec<usize> {
        let question: Vec<String> = plain(question)
            .map(|word| self.corrected(&word).to_owned())
            .collect();
        let mut found = self.engine.search(&question.join(" "), None);
        let score = |a: f32, b: f32| b.total_cmp(&a);
        found.sort_by(|a, b| score(a.score, b.score).then(a.document.id.cmp(&b.document.id)));
        let best = found.first().map_or(0.0, |first| first.score);
        found
            .into_iter()
            .filter(|result| result.score >= best * LEAST)
            .map(|result| result.document.id)
            .collect()
    }

    /// Returns the word, or the known one that was meant.
    fn corrected<'a>(&'a self, word: &'a str) -> &'a str {
        if word.len() < 4 || self.known.contains(word) || self.has_kin(word) {
            return word;
        }
        words::nearest(word, self.known.iter().map(String::as_str)).unwrap_or(word)
    }

    /// Whether another form of the word is known.
    fn has_kin(&self, word: &str) -> bool {
        let stems = self.tokenizer.tokenize(word);
        let near = self.known.range(word.chars().take(3).collect::<String>()..);
        near.take_while(|known| known.as_bytes().first() == word.as_bytes().first())
            .any(|known| self.tokenizer.tokenize(known) == stems)
    }
}

/// The words of a text without what most texts have, by their stems; and each two that stand together as one, since
/// some write "log in" and others "login".
struct Words(DefaultTokenizer);

impl Words {
    fn new() -> Self {
        Self(DefaultTokenizer::new(Language::English))
    }
}

impl Tokenizer for Words {
    fn tokenize(&self, text: &str) -> Vec<String> {
        let all: Vec<String> = plain(text).collect();
        let pairs: Vec<String> = all.windows(2).map(<[String]>::concat).collect();
        let mut tokens = self.0.tokenize(text);
        tokens.extend(self.0.tokenize(&pairs.join(" ")));
        tokens
    }
}

/// Returns the words of a text, in lower case and without short forms.
fn plain(text: &str) -> impl Iterator<Item = String> + use<> {
    text.to_lowercase()
        .replace('’', "'")
        .replace("can't", "cannot")
        .split(|letter: char| !letter.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(ToOwned::to_owned)
        .collect::<Vec<String>>()
        .into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finder() -> Finder {
        let topic = |names: &str, about: &str| Topic {
            names: names.to_owned(),
            about: about.to_owned(),
        };
        Finder::new(&[
            topic(
                "enable-suspended-customer billing",
                "Reactivates what was suspended.",
            ),
            topic(
                "user-cannot-login access",
                "Lets a user in who is locked out.",
            ),
            topic("pg-blockers locks", "Shows who waits for whose locks."),
        ])
    }

    #[test]
    fn what_is_written_in_two_words_is_found_in_one() {
        assert_eq!(finder().find("a user can't log in").first(), Some(&1));
    }

    #[test]
    fn other_forms_of_a_word_are_the_word() {
        assert_eq!(finder().find("waiting for a lock").first(), Some(&2));
        assert_eq!(finder().find("suspension of customers").first(), Some(&0));
    }

    #[test]
    fn a_slip_of_the_pen_is_forgiven() {
        assert_eq!(finder().find("susspended custmer").first(), Some(&0));
    }

    #[test]
    fn nothing_is_about_what_nobody_wrote_of() {
        assert_eq!(finder().find("the weather"), Vec::<usize>::new());
        assert_eq!(finder().find("?!"), Vec::<usize>::new());
    }
}
