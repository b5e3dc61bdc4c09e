//! Known architectures in their true structure and in small sizes, written as a user would, each
//! with PyTorch's results, gradients and a step of an optimizer (`parity zoo`). How long they are
//! beside PyTorch's classes is in `docs/zoo.md`.

mod gan;
mod golden;
mod gpt2;
mod lora;
mod realnvp;
mod siamese;
mod table;
mod vae;
