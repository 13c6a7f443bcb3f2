/**
 * The embedded default where there is no OpenCL: attention in plain Java float, blocked, on all cores.
 *
 * <p>The data goes one way: {@link dev.attention4j.cpu.CpuEngine} splits a call into blocks of query rows and hands
 * them to its threads; each block walks over the keys once and keeps a running maximum and sum (online softmax: Milakov
 * and Gimelshein, 2018; Dao et al., "FlashAttention", 2022). The inner loops are written so that HotSpot turns them
 * into vector instructions: neighbours in memory are neighbouring query rows, so that maximum, sum and rescaling need
 * no operation across a vector.
 */
package dev.attention4j.cpu;
