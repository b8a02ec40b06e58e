// What the shared data gain where there is a script: keys, examples filled in, a word while a file is being made.
"use strict";

for (const form of document.querySelectorAll("form[data-sql]")) {
  const field = form.querySelector("textarea");
  form.querySelector("[data-keys]").hidden = false;
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.addEventListener("submit", (event) => {
    // a download leaves this page where it is: the next question may be sent
    if (event.submitter?.formAction.endsWith("/query/download")) setTimeout(() => delete form.dataset.sent, 1500);
  });
  for (const link of document.querySelectorAll("a[data-example]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      field.value = link.dataset.example;
      field.focus();
    });
  }
}

for (const form of document.querySelectorAll("form[data-download]")) {
  const button = form.querySelector("button[data-waiting]");
  const word = button.textContent;
  form.addEventListener("submit", () => {
    for (const input of form.querySelectorAll("input, select")) input.disabled = input.value === "" ; // a short address
    button.textContent = button.dataset.waiting;
    setTimeout(() => {
      button.textContent = word;
      for (const input of form.querySelectorAll("input, select")) input.disabled = false;
    }, 4000);
  });
}
