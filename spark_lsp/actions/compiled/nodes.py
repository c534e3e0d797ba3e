"""Small helpers for tree-sitter nodes that the modules for compiled languages share. Pure."""

from tree_sitter import Node


def every(node: Node) -> list[Node]:
    """Return a node and all named nodes in it."""
    nodes, stack = [], [node]
    while stack:
        current = stack.pop()
        nodes.append(current)
        stack += current.named_children
    return nodes


def is_field(parent: Node, field: str, node: Node) -> bool:
    """Whether a node is in a field of its parent."""
    return any(child.id == node.id for child in parent.children_by_field_name(field))


def text_of(node: Node) -> str:
    """Return the text of a node."""
    return node.text.decode("utf-8", "replace") if node.text else ""


def root_of(node: Node) -> Node:
    """Return the whole file that a node is in."""
    while node.parent is not None:
        node = node.parent
    return node
