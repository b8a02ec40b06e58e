// Uploading with a bar, findings in tabs, printing. Without this script the same pages work as plain forms and sections.
"use strict";

const byId = (id) => document.getElementById(id);
const size = (bytes) => (bytes >= 1048576 ? `${(bytes / 1048576).toFixed(1)} MB` : `${Math.max(bytes / 1024, 0.1).toFixed(1)} kB`);

// A field called dataset hides the form's own dataset: its attributes are asked for by name.
const form = byId("upload");
if (form) {
  const input = byId("file"), list = byId("chosen"), drop = byId("drop"), words = list.dataset;
  const most = Number(form.getAttribute("data-most")), mostFiles = Number(form.getAttribute("data-files"));
  const suffixes = form.getAttribute("data-suffixes").split(" ");

  // The period follows the kind of data, until somebody writes one.
  const period = byId("period");
  let written = false;
  period.addEventListener("input", () => { written = true; });
  for (const radio of form.querySelectorAll("input[type=radio][name=dataset]")) {
    radio.addEventListener("change", () => { if (!written) period.value = radio.dataset.period; });
  }

  const faultOf = (file) => {
    const name = file.name.toLowerCase();
    if (!suffixes.some((one) => name.endsWith(one))) return words.type;
    if (file.size === 0) return words.empty;
    return file.size > most ? words.large : "";
  };
  const keep = (files) => {
    const kept = new DataTransfer();
    for (const file of files) kept.items.add(file);
    input.files = kept.files;
    show();
  };
  const show = () => {
    const files = [...input.files];
    let bad = files.length > mostFiles;
    list.replaceChildren();
    if (bad) {
      const line = document.createElement("li");
      line.className = "bad";
      line.textContent = words.many;
      list.append(line);
    }
    files.forEach((file, place) => {
      const line = document.createElement("li"), label = document.createElement("span"), fault = faultOf(file);
      label.textContent = fault ? file.name + fault : `${file.name}  ${size(file.size)}`;
      if (fault) { line.className = "bad"; bad = true; }
      const remove = document.createElement("button");
      remove.type = "button";
      remove.className = "link";
      remove.textContent = words.remove;
      remove.setAttribute("aria-label", `${words.remove} ${file.name}`);
      remove.addEventListener("click", () => { keep(files.filter((_, at) => at !== place)); input.focus(); });
      line.append(label, remove);
      list.append(line);
    });
    byId("send").disabled = bad;
  };
  input.addEventListener("change", show);
  drop.querySelector("[data-script]").hidden = false;
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop") keep(input.multiple ? [...input.files, ...event.dataTransfer.files] : [event.dataTransfer.files[0]]);
    });
  }

  const trouble = byId("trouble"), sending = byId("sending"), bar = byId("sending-bar"), told = byId("sending-words");
  let running = null, stale = false;
  const busy = (on) => {
    sending.hidden = !on;
    byId("stop").hidden = !on;
    byId("send").disabled = on;
    if (on) trouble.hidden = true; else { running = null; form.removeAttribute("data-sent"); }
  };
  const complain = (text, link) => {
    busy(false);
    const line = document.createElement("p");
    line.textContent = text;
    trouble.replaceChildren(line);
    if (link) {
      const a = document.createElement("a");
      a.href = link;
      a.target = "_blank";
      a.rel = "noopener";
      a.textContent = trouble.dataset.login;
      trouble.append(a);
    }
    trouble.hidden = false;
    trouble.tabIndex = -1;
    trouble.focus();
  };
  const kept = () => {
    const wish = new URLSearchParams();
    for (const name of ["dataset", "period", "corrects", "reason", "purpose"]) {
      const value = new FormData(form).get(name);
      if (value) wish.set(name, value);
    }
    return `/filings/new?${wish}`;
  };
  const signedOut = () => { stale = true; complain(trouble.dataset.session, `/login?next=${encodeURIComponent(kept())}`); };
  const asked = async () => {
    const answer = await fetch("/filings/new", { redirect: "manual", credentials: "same-origin" });
    return answer.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
  };
  const brokenOff = async () => {  // a refused upload often shows as a broken connection: ask whether we are still known
    try {
      if (await asked()) complain(trouble.dataset.network); else signedOut();
    } catch { complain(trouble.dataset.network); }
  };
  const answered = (request) => {
    if (request.status < 400 && request.responseURL) {
      location.assign(request.responseURL);
      return;
    }
    if (request.status === 401 || (request.status === 403 && request.responseText.includes("stale-form"))) { signedOut(); return; }
    const page = new DOMParser().parseFromString(request.responseText, "text/html");
    const said = page.querySelector("#faults") || page.querySelector("main");
    complain([...said.querySelectorAll("p, h1")].map((one) => one.textContent.trim()).filter(Boolean).join(" "));
    const key = page.querySelector("#upload input[name=key]");
    if (key) form.elements.key.value = key.value;
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (running) return;
    running = new XMLHttpRequest();
    busy(true);
    told.textContent = "";
    if (stale) {  // signed in again elsewhere: the token of the form is that of the new session
      const page = await asked().catch(() => null);
      if (!page) { signedOut(); return; }
      form.elements.csrf.value = page.querySelector("#upload input[name=csrf]").value;
      stale = false;
    }
    const request = running;
    request.open("POST", form.action);
    request.upload.addEventListener("progress", (at) => {
      bar.max = at.total || 1;
      bar.value = at.loaded;
      told.textContent = at.loaded < at.total ? `${told.dataset.sent}${size(at.loaded)}${told.dataset.of}${size(at.total)}` : told.dataset.wait;
    });
    request.addEventListener("load", () => answered(request));
    request.addEventListener("error", brokenOff);
    request.addEventListener("abort", () => busy(false));
    request.send(new FormData(form));
  });
  byId("stop").addEventListener("click", () => running?.abort());
  window.addEventListener("pageshow", () => { if (!running) show(); });
}

// Findings: one part at a time, chosen by its tab.
const tabs = [...document.querySelectorAll(".tabs a")];
if (tabs.length) {
  const parts = tabs.map((tab) => document.querySelector(tab.hash));
  const choose = (at, focus) => tabs.forEach((tab, place) => {
    const on = place === at;
    tab.setAttribute("aria-selected", String(on));
    tab.tabIndex = on ? 0 : -1;
    parts[place].hidden = !on;
    if (on && focus) tab.focus();
  });
  tabs[0].parentElement.setAttribute("role", "tablist");
  tabs.forEach((tab, place) => {
    tab.setAttribute("role", "tab");
    tab.id = `tab-${place}`;
    tab.setAttribute("aria-controls", parts[place].id);
    parts[place].setAttribute("role", "tabpanel");
    parts[place].setAttribute("aria-labelledby", tab.id);
    tab.addEventListener("click", (event) => { event.preventDefault(); choose(place, false); });
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) { event.preventDefault(); choose((place + step + tabs.length) % tabs.length, true); }
    });
  });
  const first = parts.findIndex((part) => part.querySelector("details"));
  const named = tabs.findIndex((tab) => tab.hash === location.hash);
  choose(named >= 0 ? named : Math.max(first, 0), false);
}

for (const button of document.querySelectorAll("button[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
document.querySelector("#faults")?.focus();
