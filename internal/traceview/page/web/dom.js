// Creates elements. Text from spans is only ever inserted as text: nothing on this page
// parses it as HTML.

// el creates an element. Properties that are functions become listeners; 'class', 'role'
// and names with a hyphen become attributes; null and false are left out.
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

// copyButton returns a button that copies text to the clipboard.
export function copyButton(text, what) {
  const button = el('button', {
    type: 'button', class: 'copy', title: `Copy ${what}`, 'aria-label': `Copy ${what}`,
    click: async (event) => {
      event.stopPropagation();
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = 'Copied';
      } catch { // Only a page from localhost or over HTTPS may.
        button.textContent = 'Cannot copy';
      }
      setTimeout(() => { button.textContent = 'Copy'; }, 1200);
    },
  }, 'Copy');
  return button;
}

// isTyping reports whether a key event belongs to a field.
export const isTyping = (event) =>
  event.target instanceof HTMLInputElement && event.target.type !== 'checkbox' || event.target instanceof HTMLSelectElement;
