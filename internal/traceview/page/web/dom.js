// Making elements. Text from spans only ever becomes text: nothing here, and nothing
// else on this page, parses it as HTML.

// el makes an element. Properties that are functions become listeners, 'class' and
// names with a dash become attributes, null and false are left out.
export function el(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(key, value);
    else if (key === 'class' || key === 'role' || key.includes('-')) element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== ''));
  return element;
}

// copyButton puts text on the clipboard.
export function copyButton(text, what) {
  const button = el('button', {
    type: 'button', class: 'copy', title: `Copy ${what}`, 'aria-label': `Copy ${what}`,
    click: async (event) => {
      event.stopPropagation();
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = 'Copied';
      } catch { // A page that was not opened on localhost may not.
        button.textContent = 'Cannot copy';
      }
      setTimeout(() => { button.textContent = 'Copy'; }, 1200);
    },
  }, 'Copy');
  return button;
}

// isTyping reports whether a key belongs to a field.
export const isTyping = (event) =>
  event.target instanceof HTMLInputElement && event.target.type !== 'checkbox' || event.target instanceof HTMLSelectElement;
