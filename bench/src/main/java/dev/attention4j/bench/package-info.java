/** Times attention4j together with what users would pick instead, checks every result, and reports it. */
package dev.attention4j.bench;
