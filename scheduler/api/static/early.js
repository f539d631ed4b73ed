// Before anything is painted: the chosen theme, and the page's nonce for style elements that scripts make.
"use strict";
(() => {
  const { nonce } = document.currentScript;
  document.documentElement.classList.add("js");
  try {
    const theme = localStorage.getItem("theme");
    if (theme) document.documentElement.dataset.theme = theme;
  } catch { /* storage is closed: the system decides */ }
  // The chart library makes <style> elements and knows no nonce; without one the content security policy stops them.
  const make = Document.prototype.createElement;
  Document.prototype.createElement = function (name, options) {
    const made = make.call(this, name, options);
    if (String(name).toLowerCase() === "style") made.nonce = nonce;
    return made;
  };
})();
