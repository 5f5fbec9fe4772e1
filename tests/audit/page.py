#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Judges the audit's page: well-formed, nothing from outside became markup, nothing is loaded, and the
hashes of its own policy are right."""
import base64
import hashlib
import html.parser
import re
import sys

text = open(sys.argv[1], encoding="utf-8").read()
bad = []
VOID = {"meta", "input", "rect", "circle", "path"}


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.stack, self.tags, self.ids, self.links = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name.startswith("on") or name in ("src", "style", "action", "srcdoc", "xlink:href", "data"):
                bad.append("attribute %s of %s" % (name, tag))
            if name == "id":
                self.ids.append(value)
            if name == "href":
                self.links.append(value)
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            bad.append("end of %s" % tag)


page = Page()
page.feed(text)
page.close()
if page.stack:
    bad.append("not closed: %s" % page.stack)
if page.tags.count("script") != 1 or page.tags.count("style") != 1:
    bad.append("more scripts or styles than one")
for tag in ("img", "iframe", "object", "link", "embed", "form", "base", "use", "image", "video"):
    if tag in page.tags:
        bad.append("a %s" % tag)
if len(set(page.ids)) != len(page.ids):
    bad.append("an id twice")
for link in page.links:
    if not link.startswith("#") or link[1:] not in page.ids:
        bad.append("link %s" % link)
if re.search(r"url\((?!#)", text.split("<body>")[0]) or "@import" in text:
    bad.append("the style loads something")
policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text).group(1)
for kind in ("style", "script"):
    body = re.search(r"<%s>(.*?)</%s>" % (kind, kind), text, re.S).group(1)
    digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
    if "%s-src 'sha256-%s'" % (kind, digest) not in policy:
        bad.append("the policy does not allow our own %s" % kind)
if not policy.startswith("default-src 'none'"):
    bad.append("policy %s" % policy)
print("\n".join(bad))
sys.exit(bool(bad))
