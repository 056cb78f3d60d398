/** A module that does at import what a transport must not. */
process.env.TOY_WAS_HERE = "1";

export {};
