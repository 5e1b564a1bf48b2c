/** The workflows of Countersign's own worker. */
export { approval, delivery } from './approval';
export { reconcile } from './reconcile';
