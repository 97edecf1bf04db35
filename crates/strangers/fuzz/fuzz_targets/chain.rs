#![no_main]

strangers_fuzz::target!("chain");
