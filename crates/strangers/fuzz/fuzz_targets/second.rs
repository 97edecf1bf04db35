#![no_main]

strangers_fuzz::target!("second");
