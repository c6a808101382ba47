//! Helpers over the parser's tree.

use std::ops::Range;

use squawk_syntax::{SyntaxKind, SyntaxNode, SyntaxToken};

/// Returns the tokens of a node that mean something, in order.
pub(super) fn words(node: &SyntaxNode) -> impl Iterator<Item = SyntaxToken> + use<> {
    node.descendants_with_tokens()
        .filter_map(squawk_syntax::SyntaxElement::into_token)
        .filter(|token| !token.kind().is_trivia())
}

/// Returns the place of a node without the space and comments around it.
pub(super) fn range(node: &SyntaxNode) -> Range<usize> {
    let mut place: Option<Range<usize>> = None;
    for token in words(node) {
        let token = token_range(&token);
        place = Some(place.map_or(token.clone(), |place| place.start..token.end));
    }
    place.unwrap_or_else(|| {
        let at = usize::from(node.text_range().start());
        at..at
    })
}

/// Returns the place of a token.
pub(super) fn token_range(token: &SyntaxToken) -> Range<usize> {
    token.text_range().into()
}

/// Returns the text of a node without the space and comments around it.
pub(super) fn text<'a>(node: &SyntaxNode, source: &'a str) -> &'a str {
    source.get(range(node)).unwrap_or_default()
}

/// Returns the text of a node after its first word, as of a clause after its keyword.
pub(super) fn text_after_keyword<'a>(node: &SyntaxNode, source: &'a str) -> &'a str {
    range_after_keyword(node)
        .and_then(|place| source.get(place))
        .unwrap_or_default()
}

/// Returns the place of what follows the first word of a node.
pub(super) fn range_after_keyword(node: &SyntaxNode) -> Option<Range<usize>> {
    let second = words(node).nth(1)?;
    Some(token_range(&second).start..range(node).end)
}

/// Returns the kind of a node's first word.
pub(super) fn first_word(node: &SyntaxNode) -> Option<SyntaxKind> {
    words(node).next().map(|token| token.kind())
}

/// Returns true when a node or anything in it is of one of the kinds.
pub(super) fn has_node(node: &SyntaxNode, kinds: &[SyntaxKind]) -> bool {
    node.descendants().any(|node| kinds.contains(&node.kind()))
}

/// Returns true when a token of the kind stands directly in the node.
pub(super) fn has_own_token(node: &SyntaxNode, kind: SyntaxKind) -> bool {
    node.children_with_tokens()
        .filter_map(squawk_syntax::SyntaxElement::into_token)
        .any(|token| token.kind() == kind)
}

/// Returns the place of a statement without its semicolon.
pub(super) fn range_without_semicolon(node: &SyntaxNode) -> Range<usize> {
    let whole = range(node);
    let last = words(node)
        .filter(|token| token.kind() != SyntaxKind::SEMICOLON)
        .last();
    let semicolon = node
        .last_child_or_token()
        .is_some_and(|element| element.kind() == SyntaxKind::SEMICOLON);
    match last {
        Some(last) if semicolon => whole.start..token_range(&last).end,
        _ => whole,
    }
}
