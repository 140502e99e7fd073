"""Drives headless Chromium through a grant: asked for by hana, agreed to by lea, in force, taken back.

Arguments: the console's origin, a folder for pictures, the password of both.
"""

import sys

from browser import drive, has_no_overflow

PASSWORD = sys.argv[3]


def sign_in(browser, user):
    browser.go("/console/sign-in")
    browser.fill("input[name=user]", user)
    browser.fill("input[name=password]", PASSWORD + "\ue007")
    browser.find("table.matrix")
    browser.go("/console/grants")
    browser.find("h1")


def sign_out(browser):
    browser.press("form.who button")
    browser.find("input[name=password]")


def labels(browser):
    """Names of what can be pressed in the list, as a screen reader says them."""
    return browser.run("return [...document.querySelectorAll('table button')].map(b => b.getAttribute('aria-label'))")


def grant(browser):
    browser.size(1280, 900)
    sign_in(browser, "hana")
    assert labels(browser) == []
    browser.fill("textarea[name=masks]", "contact.phone=clear")
    browser.fill("input[name=table]", "public.customers")
    browser.fill("input[name=rows]", "id = 1")
    # The keyboard alone: Enter in a field sends.
    browser.fill("input[name=because]", "T-123: calls back\ue007")
    browser.find("[role=status]")
    assert labels(browser) == ["Take back: Grant 1"], labels(browser)
    browser.picture("grants-asked-light-en")
    # What the rules refuse is said, and what was typed is still there.
    browser.fill("textarea[name=masks]", "identity=clear")
    browser.fill("input[name=because]", "T-124\ue007")
    browser.find("[role=alert]")
    assert browser.run("return document.querySelector('textarea[name=masks]').value") == "identity=clear"
    browser.picture("grants-refused-light-en")
    sign_out(browser)

    sign_in(browser, "lea")
    expected = ["Approve: Grant 1", "Reject: Grant 1", "Take back: Grant 1"]
    assert labels(browser) == expected, labels(browser)
    browser.press("button[value=approve]")
    browser.find("[role=status]")
    cell = "document.querySelector('table tbody td').innerText"
    browser.wait("in force", f"return {cell}.trim() === 'in force'")
    browser.picture("grants-in-force-light-en")
    browser.press("button[value=dark]")
    browser.wait("dark", "return document.documentElement.dataset.theme === 'dark'")
    browser.press("button[value=ko]")
    browser.wait("Korean", "return document.documentElement.lang === 'ko'")
    browser.go("/console/grants")
    browser.wait("in force", f"return {cell}.trim() === '적용 중'")
    browser.picture("grants-in-force-dark-ko")
    browser.size(400, 800)
    has_no_overflow(browser, "grants")
    browser.picture("grants-narrow-dark-ko")
    browser.size(1280, 900)
    browser.press("button[value=revoke]")
    browser.find("[role=status]")
    browser.wait("its end", f"return {cell}.trim() === '취소됨'")
    assert labels(browser) == []
    browser.press("button[value=light]")
    browser.press("button[value=en]")
    browser.go("/console/grants")
    browser.picture("grants-over-light-en")
    # Lea has no role with break-glass; hana has, is warned, and cannot do it in passing.
    assert not browser.run("return document.getElementById('glass')"), "offered to who may not"
    sign_out(browser)

    sign_in(browser, "hana")
    loud = "form.loud "
    warning = browser.run("return document.getElementById(document.querySelector('form.loud button').getAttribute('aria-describedby')).innerText")
    assert "alarm" in warning, warning
    browser.fill(loud + "textarea[name=masks]", "contact.phone=clear")
    browser.fill(loud + "input[name=table]", "public.customers")
    browser.fill(loud + "input[name=rows]", "id = 1")
    browser.press(loud + "button")
    missing = "[...document.querySelectorAll('form.loud :invalid')].map(field => field.name)"
    assert browser.run(f"return {missing}") == ["because", "aware"], browser.run(f"return {missing}")
    browser.fill(loud + "input[name=because]", "on call, T-125")
    for theme, language in [("light", "en"), ("dark", "ko")]:
        browser.run("document.getElementById('glass').scrollIntoView()")
        browser.picture(f"grants-glass-{theme}-{language}")
        if theme == "light":
            browser.press("button[value=dark]")
            browser.wait("dark", "return document.documentElement.dataset.theme === 'dark'")
            browser.press("button[value=ko]")
            browser.wait("Korean", "return document.documentElement.lang === 'ko'")
            browser.size(400, 800)
            has_no_overflow(browser, "glass")
            browser.size(1280, 900)
    browser.fill(loud + "textarea[name=masks]", "contact.phone=clear")
    browser.fill(loud + "input[name=table]", "public.customers")
    browser.fill(loud + "input[name=rows]", "id = 1")
    browser.fill(loud + "input[name=because]", "on call, T-125")
    # The keyboard alone: a space ticks, Enter sends.
    box = browser.find(loud + "input[name=aware]")
    browser.do("POST", f"/element/{box}/value", {"text": " "})
    browser.fill(loud + "input[name=for]", "15m\ue007")
    browser.find("[role=status]")
    browser.wait("BREAK-GLASS", "return document.querySelector('table tbody strong').innerText === '비상 열람'")
    browser.picture("grants-glass-broken-dark-ko")


drive(grant)
