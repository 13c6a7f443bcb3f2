/**
 * A real model end to end: all-MiniLM-L6-v2, a sentence encoder of six layers, whose projections and attention are this
 * library's; what is around them is plain Java. (Wang et al., "MiniLM: Deep Self-Attention Distillation for
 * Task-Agnostic Compression of Pre-Trained Transformers", 2020; Reimers and Gurevych, "Sentence-BERT", 2019.)
 */
package dev.attention4j.cli.minilm;
