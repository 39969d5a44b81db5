// An MBConv from its input to its attention, without it, in float32 and channels-last. See fused_depthwise.py.
//
// A few channels at a time are processed row by row: the k input rows of an output row stay in the
// cache, each computed once; values before the last SiLU are never written to memory.

#include <ATen/Parallel.h>
#include <ATen/cpu/vec/functional.h>
#include <ATen/cpu/vec/vec.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

namespace {

using Vec = at::vec::Vectorized<float>;

constexpr int64_t LANES = Vec::size();
constexpr int64_t GROUP = 32;  // channels at a time; with more, wide rows do not fit into the cache
constexpr int64_t EXPANDED = 6;  // pixels that share a load of weights
constexpr int64_t CONVOLVED = LANES > 8 ? 8 : 4;  // AVX-512 has twice the registers

struct Layer {
  const float *x, *expand, *expand_bias, *kernel, *bias;
  float* out;
  int64_t in_channels, channels, height, width, out_height, out_width;
  int64_t top, left;  // zeros of padding
  bool activate;  // the input, if it is not expanded
};

// Channels of one image.
struct Group {
  int64_t image, index, channels;
};

// 1 + 2^t, t = -x / ln 2, to 4e-7 of the value. With ATen's exp the operator takes a fifth longer.
C10_ALWAYS_INLINE Vec one_plus_exp(const Vec& x) {
  const Vec t = at::vec::clamp(x * Vec(-1.44269504f), Vec(-126.f), Vec(126.f));
  const Vec round(12582912.f);  // 1.5 · 2^23: adding it rounds to an integer
  const Vec sum = t + round;
  const Vec rest = t - (sum - round);  // from -1/2 to 1/2
  Vec power(1.33933670e-3f);  // 2^rest
  power = at::vec::fmadd(power, rest, Vec(9.61817686e-3f));
  power = at::vec::fmadd(power, rest, Vec(5.55040870e-2f));
  power = at::vec::fmadd(power, rest, Vec(2.40226510e-1f));
  power = at::vec::fmadd(power, rest, Vec(6.93147182e-1f));
  power = at::vec::fmadd(power, rest, Vec(1.f));
  using Int = at::vec::Vectorized<int32_t>;
  const Int exponent = at::vec::cast<int32_t>(sum) << Int(23);
  return Vec(1.f) + at::vec::cast<float>(at::vec::cast<int32_t>(power) + exponent);
}

C10_ALWAYS_INLINE Vec silu(const Vec& x) { return x / one_plus_exp(x); }

// COUNT input pixels → COUNT pixels of the expansion.
template <int COUNT>
void expand(const Layer& l, const Group& g, const float* pixels, float* row) {
  const float* weights = l.expand + g.index * l.in_channels * GROUP;
  const float* bias = l.expand_bias + g.index * GROUP;
  for (int64_t c = 0; c < g.channels; c += 2 * LANES) {
    Vec low[COUNT], high[COUNT];
#pragma GCC unroll 6
    for (int i = 0; i < COUNT; ++i) {
      low[i] = Vec::loadu(bias + c);
      high[i] = Vec::loadu(bias + c + LANES);
    }
    for (int64_t k = 0; k < l.in_channels; ++k) {
      const Vec a = Vec::loadu(weights + k * GROUP + c);
      const Vec b = Vec::loadu(weights + k * GROUP + c + LANES);
#pragma GCC unroll 6
      for (int i = 0; i < COUNT; ++i) {
        const Vec value(pixels[i * l.in_channels + k]);
        low[i] = at::vec::fmadd(value, a, low[i]);
        high[i] = at::vec::fmadd(value, b, high[i]);
      }
    }
#pragma GCC unroll 6
    for (int i = 0; i < COUNT; ++i) {
      silu(low[i]).store(row + i * GROUP + c);
      silu(high[i]).store(row + i * GROUP + c + LANES);
    }
  }
}

// A pixel of the input, activated.
C10_ALWAYS_INLINE void activate(const float* pixel, int64_t channels, float* row) {
  if (channels == GROUP) {  // a compile-time constant: a third faster
#pragma GCC unroll 8
    for (int64_t c = 0; c < GROUP; c += LANES) silu(Vec::loadu(pixel + c)).store(row + c);
    return;
  }
  for (int64_t c = 0; c < channels; c += LANES) {
    silu(Vec::loadu(pixel + c, std::min(LANES, channels - c))).store(row + c);
  }
}

// Row y of the convolution's input: `columns` pixels, zeros outside of the image.
void load_row(const Layer& l, const Group& g, int64_t y, int64_t columns, float* row) {
  if (y < 0 || y >= l.height) {
    std::fill(row, row + columns * GROUP, 0.f);
    return;
  }
  const int64_t width = std::min(l.width, columns - l.left);
  std::fill(row, row + l.left * GROUP, 0.f);
  std::fill(row + (l.left + width) * GROUP, row + columns * GROUP, 0.f);
  row += l.left * GROUP;
  const float* pixel = l.x + (g.image * l.height + y) * l.width * l.in_channels;
  int64_t x = 0;
  if (l.expand) {
    const auto pixels = [&](auto count) {
      constexpr int COUNT = decltype(count)::value;
      for (; x + COUNT <= width; x += COUNT) {
        expand<COUNT>(l, g, pixel + x * l.in_channels, row + x * GROUP);
      }
    };
    pixels(std::integral_constant<int, EXPANDED>());
    pixels(std::integral_constant<int, 2>());
    pixels(std::integral_constant<int, 1>());
    return;
  }
  pixel += g.index * GROUP;
  for (; x < width; ++x, pixel += l.channels, row += GROUP) {
    if (l.activate) {
      activate(pixel, g.channels, row);
    } else {
      std::copy_n(pixel, g.channels, row);
    }
  }
}

// COUNT pixels of an output row, which are added to `totals`.
template <int K, int STRIDE, int COUNT>
void convolve(
    const Layer& l, const Group& g, const float* const* rows, float* out, float* totals) {
  const float* kernel = l.kernel + g.index * K * K * GROUP;
  for (int64_t c = 0; c < g.channels; c += LANES) {
    Vec sums[COUNT];
#pragma GCC unroll 8
    for (int i = 0; i < COUNT; ++i) sums[i] = Vec::loadu(l.bias + g.index * GROUP + c);
#pragma GCC unroll 5
    for (int v = 0; v < K; ++v) {
#pragma GCC unroll 5
      for (int u = 0; u < K; ++u) {
        const Vec weight = Vec::loadu(kernel + (v * K + u) * GROUP + c);
#pragma GCC unroll 8
        for (int i = 0; i < COUNT; ++i) {
          const Vec value = Vec::loadu(rows[v] + (i * STRIDE + u) * GROUP + c);
          sums[i] = at::vec::fmadd(weight, value, sums[i]);
        }
      }
    }
    Vec total = Vec::loadu(totals + c);
#pragma GCC unroll 8
    for (int i = 0; i < COUNT; ++i) {
      const Vec value = silu(sums[i]);
      value.store(out + i * l.channels + c, std::min(LANES, g.channels - c));
      total = total + value;
    }
    total.store(totals + c);
  }
}

// Output rows `begin` to `end`; `totals` receives their sums.
template <int K, int STRIDE>
void convolve_rows(
    const Layer& l, const Group& g, int64_t begin, int64_t end, float* totals) {
  const int64_t columns = (l.out_width - 1) * STRIDE + K;
  thread_local std::vector<float> ring;  // reused: page faults take longer than the work
  ring.resize(std::max<size_t>(ring.size(), K * columns * GROUP));
  float* const memory = ring.data();
  const auto row = [=](int64_t y) { return memory + (y + K) % K * columns * GROUP; };
  int64_t next = begin * STRIDE - l.top;
  for (int64_t y = begin; y < end; ++y) {
    const int64_t first = y * STRIDE - l.top;
    for (; next < first + K; ++next) load_row(l, g, next, columns, row(next));
    const float* rows[K];
    for (int v = 0; v < K; ++v) rows[v] = row(first + v);
    float* out =
        l.out + (g.image * l.out_height + y) * l.out_width * l.channels + g.index * GROUP;
    float of_row[GROUP] = {};  // a sum of sums is more accurate
    int64_t x = 0;
    const auto pixels = [&](auto count) {
      constexpr int COUNT = decltype(count)::value;
      for (; x + COUNT <= l.out_width; x += COUNT) {
        convolve<K, STRIDE, COUNT>(l, g, rows, out, of_row);
        for (auto& from : rows) from += COUNT * STRIDE * GROUP;
        out += COUNT * l.channels;
      }
    };
    pixels(std::integral_constant<int, CONVOLVED>());
    pixels(std::integral_constant<int, 1>());
    for (int64_t c = 0; c < GROUP; ++c) totals[c] += of_row[c];
  }
}

// The number of row bands with which `threads` threads finish soonest; each band loads the rows at
// its edges again.
int64_t best_bands(int64_t groups, int64_t height, int64_t overlap, int64_t threads) {
  int64_t best = 1, least = INT64_MAX;
  for (int64_t bands = 1; bands <= std::min(height, threads); ++bands) {
    const int64_t rounds = (groups * bands + threads - 1) / threads;
    const int64_t rows = rounds * ((height + bands - 1) / bands + overlap);
    if (rows < least) best = bands, least = rows;
  }
  return best;
}

template <int K, int STRIDE>
void run(const Layer& l, int64_t images, float* means) {
  const int64_t groups = (l.channels + GROUP - 1) / GROUP;
  const int64_t bands =
      best_bands(images * groups, l.out_height, (K - 1) / STRIDE, at::get_num_threads());
  std::vector<float> totals(images * groups * bands * GROUP);
  at::parallel_for(0, images * groups * bands, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t band = task % bands, index = task / bands % groups;
      const Group g{task / bands / groups, index, std::min(GROUP, l.channels - index * GROUP)};
      convolve_rows<K, STRIDE>(
          l, g, l.out_height * band / bands, l.out_height * (band + 1) / bands,
          totals.data() + task * GROUP);
    }
  });
  for (int64_t image = 0; image < images; ++image) {
    for (int64_t c = 0; c < l.channels; ++c) {
      const float* total = totals.data() + (image * groups + c / GROUP) * bands * GROUP + c % GROUP;
      float sum = 0;
      for (int64_t band = 0; band < bands; ++band) sum += total[band * GROUP];
      means[image * l.channels + c] = sum / static_cast<float>(l.out_height * l.out_width);
    }
  }
}

}  // namespace

// x (images, height, width, in_channels) → out (images, out_height, out_width, channels) and their
// means (images, channels). Weights are stored in groups of GROUP channels, (groups, …, GROUP), with
// zeros after the last channel. `expand` may be null: both channel counts are then equal.
extern "C" void fused_depthwise(
    const float* x, const float* expand, const float* expand_bias, const float* kernel,
    const float* bias, float* out, float* means, int64_t images, int64_t in_channels,
    int64_t height, int64_t width, int64_t channels, int64_t out_height, int64_t out_width,
    int64_t kernel_size, int64_t stride, int64_t top, int64_t left, int64_t activate) {
  const Layer l{
      x, expand, expand_bias, kernel, bias, out, in_channels, channels, height, width, out_height,
      out_width, top, left, activate != 0};
  const auto run_as = kernel_size == 3 ? (stride == 1 ? run<3, 1> : run<3, 2>)
                                       : (stride == 1 ? run<5, 1> : run<5, 2>);
  run_as(l, images, means);
}
