//! The recovery workflow as a module. All of it is in [`recovery::guest`]; this crate only has the entry.

cre::workflow!(recovery::guest::workflow);
