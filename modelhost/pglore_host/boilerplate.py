"""Boilerplate: the parts of a web page that are not what it is about."""

import re

from selectolax.lexbor import LexborNode

_TAGS = frozenset(re.findall(r"\S+", """
    script style noscript template nav footer head link meta svg math iframe object embed canvas audio video map
    form button input select textarea dialog -comment
"""))
_ROLES = frozenset(["navigation", "banner", "contentinfo", "search", "menu", "menubar", "toolbar"])
_CLASSES = frozenset(re.findall(r"\S+", """
    nav navbar navheader navfooter navigation navigation-bar toc table-of-contents breadcrumb breadcrumbs sidebar
    footer site-footer site-header menu skip-link skiplink pagination pager headerlink anchor-link permalink
    anchorjs-link id_link mw-editsection navbox mw-jump-link noprint cookie-banner share-buttons
    indexdiv indextable genindextable
"""))
_LISTS = frozenset(("ul", "ol", "dl", "table", "div"))
_LINKS = 12  # fewer links than this are no list of links
_SHARE = 0.7  # of a list's characters, in links


def is_boilerplate(node: LexborNode) -> bool:
    """Whether an element is navigation, decoration or code of the page, by its tag, role or class."""
    tag = node.tag
    if tag in _TAGS:
        return True
    attributes = node.attributes
    if not attributes:
        return False
    if "hidden" in attributes or attributes.get("aria-hidden") == "true":
        return True
    role = attributes.get("role")
    if role in _ROLES:
        return True
    names = attributes.get("class")
    return bool(names) and tag not in ("body", "main", "html") and not _CLASSES.isdisjoint(names.lower().split())


def is_link_list(node: LexborNode) -> bool:
    """Whether an element is a long list of little but links, such as an index."""
    if node.tag not in _LISTS:
        return False
    links = node.css("a[href]")
    if len(links) < _LINKS:
        return False
    linked = sum(len(link.text()) for link in links)
    return linked >= _SHARE * len("".join(node.text().split()))
