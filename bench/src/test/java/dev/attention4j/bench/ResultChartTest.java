package dev.attention4j.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.knowm.xchart.CategoryChart;

class ResultChartTest {
    private static final String REPORT =
            """
            {"device": "a device", "dtype": "float32", "results": [
              {"shape": "layer:8.512.512.8", "engine": "opencl:0", "plan": "rows", "peer": false,
               "ratio_to_best_peer": 1.25},
              {"shape": "layer:8.512.512.8", "engine": "pytorch", "plan": "a", "peer": true, "ratio_to_best_peer": 1.0},
              {"shape": "layer:8.512.512.8", "engine": "pytorch", "plan": "b", "peer": true, "ratio_to_best_peer": 0.3},
              {"shape": "gemm:4096.512.512", "engine": "pytorch", "plan": "c", "peer": true, "ratio_to_best_peer": 0.9}
            ]}
            """;

    /** A shape that a contender has not computed has no bar. */
    @Test
    void drawsTheFastestWayOfEachContender() throws IOException {
        CategoryChart chart = ResultChart.draw(JSON.std.mapFrom(REPORT));
        assertThat(heights(chart, "opencl:0 rows")).isEqualTo(List.of(1.25, 0.0));
        assertThat(heights(chart, "pytorch")).isEqualTo(List.of(1.0, 0.9));
        assertThat(chart.getXAxisTitle()).contains("gemm:");
    }

    private static List<?> heights(CategoryChart chart, String series) {
        return List.copyOf(chart.getSeriesMap().get(series).getYData());
    }
}
