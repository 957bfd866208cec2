// A service has the same colour everywhere. It follows from the order in which the server
// first saw the services.

const hues = 10;
const places = new Map();

export function learn(services) {
  services.forEach((name, i) => places.set(name, i));
}

// colorOf returns the class that sets the colour of a service.
export const colorOf = (service) => places.has(service) ? `hue${places.get(service) % hues}` : 'hue-none';
