/** What someone who writes an engine uses or implements; callers of attention need none of it. */
package dev.attention4j.spi;
