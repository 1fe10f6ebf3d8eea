/** The tokens of core/tokens.py, and what a reader takes for one character. The server has the last word on both. */

const MARK = "\\p{M}\\u00ad\\u200c\\u{1f3fb}-\\u{1f3ff}\\u{e0020}-\\u{e007f}";
const IDEOGRAPH = "[\\u3040-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff\\u{20000}-\\u{3ffff}]";
const SIGN = "(?:\\ufeff|[^\\s\\x1c-\\x1f\\x85])"; // white space as Python has it
const WORD = `(?:(?!${IDEOGRAPH})[\\p{L}\\p{N}]|[${MARK}\\u200d])+`;
const TOKEN = new RegExp(
  `(?=[\\p{L}\\p{N}])(?!${IDEOGRAPH})${WORD}(?:(?:['\\u2019](?=\\p{L}|\\p{Nl}|\\p{No})|(?<=\\p{Nd})[.,](?=\\p{Nd}))${WORD})*` +
    `|\\p{RI}{2}[${MARK}]*|${SIGN}[${MARK}]*(?:\\u200d(?:${SIGN}[${MARK}]*)?)*`,
  "gu",
);
const segmenter = "Segmenter" in Intl ? new Intl.Segmenter("en", { granularity: "grapheme" }) : null;

/** @param {string} text @returns {{start: number, end: number}[]} its tokens, in UTF-16 units */
export function tokensOf(text) {
  return [...text.matchAll(TOKEN)].map((match) => ({ start: match.index, end: match.index + match[0].length }));
}

/** @param {string} text @returns {{start: number, end: number}[]} its characters but white space, in UTF-16 units */
export function charactersOf(text) {
  if (!segmenter) return tokensOf(text);
  const found = [...segmenter.segment(text)].filter(({ segment }) => /\S/u.test(segment));
  return found.map(({ segment, index }) => ({ start: index, end: index + segment.length }));
}
