// Sentences come translated in data attributes; figures are put in here.

export function fill(sentence, figures) {
  return sentence.replace(/\{(\w+)\}/g, (whole, name) => (name in figures ? figures[name] : whole));
}
