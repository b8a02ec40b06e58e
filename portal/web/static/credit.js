// Candidates while somebody types, and the keys to walk through them; without this the button does the same.
"use strict";

const find = document.getElementById("find");
if (find) {
  const field = document.getElementById("q");
  const list = document.getElementById("hits");
  const WAIT = 250; // after the last key
  let timer = 0;
  let asked = null; // the question on its way: only the newest is ever shown
  let composing = false; // an input method is not done with its letters
  let shown = field.value.trim();

  const folded = (text) => text.replace(/\s+/g, " ").trim(); // widths are folded by the server

  async function ask() {
    const text = folded(field.value);
    if (text === shown) return;
    asked?.abort();
    if (text.length < 2) {
      shown = text;
      list.replaceChildren();
      list.removeAttribute("data-busy");
      return;
    }
    const mine = (asked = new AbortController());
    list.dataset.busy = "yes";
    try {
      const answer = await fetch("/credit/suggest?q=" + encodeURIComponent(text), {
        headers: { "hx-request": "true" },
        signal: mine.signal,
      });
      const page = await answer.text();
      if (asked !== mine) return; // an older answer that came late
      const onward = answer.headers.get("hx-redirect");
      if (onward) {
        location.assign(onward);
        return;
      }
      if (answer.status === 429) {
        timer = setTimeout(ask, 1000 * (Number(answer.headers.get("retry-after")) || 2));
        return;
      }
      if (!answer.ok) {
        find.submit(); // the page says what is wrong
        return;
      }
      shown = text;
      list.replaceChildren(document.createRange().createContextualFragment(page));
      history.replaceState(null, "", "/credit?q=" + encodeURIComponent(text));
    } catch (error) {
      if (error.name !== "AbortError") find.submit();
    } finally {
      if (asked === mine) list.removeAttribute("data-busy");
    }
  }

  const later = () => {
    clearTimeout(timer);
    if (!composing) timer = setTimeout(ask, WAIT);
  };
  field.addEventListener("input", later);
  field.addEventListener("compositionstart", () => (composing = true));
  field.addEventListener("compositionend", () => {
    composing = false;
    later();
  });

  const links = () => [...list.querySelectorAll("a.hit")];
  find.addEventListener("submit", (event) => {
    const only = links();
    const code = folded(field.value).replace(/\s/g, "");
    clearTimeout(timer);
    asked?.abort();
    if (only.length === 1 && only[0].getAttribute("href").endsWith("/" + code.toUpperCase())) {
      event.preventDefault();
      only[0].click();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (composing || event.isComposing) return;
    const all = links();
    const at = all.indexOf(document.activeElement);
    const here = document.activeElement === field;
    if (event.key === "ArrowDown" && (here || at >= 0) && all.length) {
      event.preventDefault();
      all[Math.min(at + 1, all.length - 1)].focus();
    } else if (event.key === "ArrowUp" && at >= 0) {
      event.preventDefault();
      (at === 0 ? field : all[at - 1]).focus();
    } else if (event.key === "Escape" && at >= 0) {
      field.focus();
    } else if (at >= 0 && event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey && event.key !== " ") {
      field.focus(); // typing goes on in the field
    }
  });
  const end = field.value.length;
  field.setSelectionRange(end, end);
}

// Work that takes some seconds says so.
for (const form of document.querySelectorAll("form[data-wait]")) {
  form.addEventListener("submit", () => {
    const place = form.querySelector("[data-waiting]");
    place.textContent = form.dataset.wait;
    place.hidden = false;
    form.querySelector("button").disabled = true;
  });
}
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form[data-wait] button")) button.disabled = false;
});
