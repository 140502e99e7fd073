// Follows a page that changes by itself. Without it, the page has a link that does the same by hand.
"use strict";
(() => {
  const live = document.getElementById("live");
  const button = document.getElementById("follow");
  if (!live || !button) return;
  const EVERY = 3000;
  let on = false;
  let timer = 0;
  const tick = async () => {
    try {
      const answer = await fetch(location.href, { headers: { "X-Scrim-Follow": "1" }, redirect: "error" });
      if (!answer.ok) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const newer = page.getElementById("live");
      if (!newer) throw new Error("another page");
      // Not under the hands of somebody who reads or presses something in it.
      if (!live.contains(document.activeElement)) live.replaceChildren(...newer.childNodes);
    } catch {
      return set(false);
    }
    if (on) timer = setTimeout(tick, EVERY);
  };
  const set = (value) => {
    on = value;
    clearTimeout(timer);
    button.textContent = on ? button.dataset.pause : button.dataset.resume;
    button.setAttribute("aria-pressed", String(on));
    if (on) timer = setTimeout(tick, EVERY);
  };
  button.hidden = false;
  button.addEventListener("click", () => set(!on));
  set(false);
})();
