/** Classes that engines use or extend; callers of attention need none of them. */
package dev.attention4j.spi;
