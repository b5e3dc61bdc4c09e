//! Known architectures in their true structure and in small sizes, written as a user would, each
//! with PyTorch's results, gradients and a step of an optimizer (`parity zoo`). How long they are
//! beside PyTorch's classes is in `docs/zoo.md`.

mod bert;
mod char_rnn;
mod densenet;
mod fpn;
mod gan;
mod golden;
mod gpt2;
mod llama;
mod lora;
mod mobilenet_v2;
mod realnvp;
mod resnet18;
mod resnet50;
mod seq2seq;
mod siamese;
mod style_transfer;
mod t5;
mod table;
mod text_cnn;
mod unet;
mod vae;
mod vit;
mod wavenet;
