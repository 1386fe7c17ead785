/** The dashboard: watches migrations and has them done. It decides nothing; the database does. */
import { render } from 'preact';
import './style.css';
import { look } from './state.ts';
import { App } from './views/app.tsx';

const root = document.getElementById('page') as HTMLElement;
root.replaceChildren();
render(<App />, root);
look();
