// Batch norm in training and SiLU, and their gradients, in float32 and channels-last order. See
// fused_norm.py.
//
// Results equal those of PyTorch's separate operators bit for bit: the same operations on each
// number, with the same rounding, and sums in the same order.

#include <ATen/Parallel.h>
#include <ATen/cpu/vec/vec.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <type_traits>
#include <vector>

#define ALWAYS_INLINE __attribute__((always_inline))

namespace {

using Vec = at::vec::Vectorized<float>;
using Vecs = std::vector<Vec>;  // of channels, aligned, padded after the last channel

constexpr int64_t LANES = Vec::size();
constexpr int64_t GRAIN = 32768;  // elements per thread in PyTorch (TensorIterator.h)
using Full = std::integral_constant<int64_t, LANES>;

Vec load(const float* from, Full) { return Vec::loadu(from); }
Vec load(const float* from, int64_t count) { return Vec::loadu(from, count); }

Vecs load_all(const float* from, int64_t channels) {
  Vecs found;
  for (int64_t c = 0; c < channels; c += LANES) {
    found.push_back(Vec::loadu(from + c, std::min(LANES, channels - c)));
  }
  return found;
}

float& channel(Vecs& of, int64_t c) { return reinterpret_cast<float*>(of.data())[c]; }

// z = alpha · x + beta.
struct Norm {
  Vecs mean, inverse, weight, alpha, beta;
  int64_t channels;

  Norm(const float* mean, const float* inverse, const float* weight, const float* bias, int64_t n)
      : mean(load_all(mean, n)),
        inverse(load_all(inverse, n)),
        weight(load_all(weight, n)),
        beta(load_all(bias, n)),
        channels(n) {
    for (size_t v = 0; v < beta.size(); ++v) {
      alpha.push_back(this->inverse[v] * this->weight[v]);
      beta[v] = at::vec::fmadd(this->mean[v].neg(), alpha[v], beta[v]);  // 2.6 lacks fnmadd
    }
  }

  Vec operator()(const Vec& x, int64_t v) const { return at::vec::fmadd(x, alpha[v], beta[v]); }
};

// 1 + exp(−z), by the arithmetic of Sleef's expf, which ATen uses, but inlined: a call takes as long
// as the computation.
C10_ALWAYS_INLINE Vec one_plus_exp(const Vec& z) {
  // Below this range the sum is 1, above it exp is infinite.
  const Vec d = at::vec::clamp(z.neg(), Vec(-86.f), Vec(89.f));
  const Vec round(12582912.f);  // 1.5 · 2^23: adding it rounds to an integer
  const Vec sum = d * Vec(1.442695040888963407f) + round;
  const Vec power = sum - round;
  Vec rest = at::vec::fmadd(power, Vec(-0.693145751953125f), d);
  rest = at::vec::fmadd(power, Vec(-1.428606765330187045e-06f), rest);
  Vec u(1.98527617612853646e-4f);
  u = at::vec::fmadd(u, rest, Vec(1.39304355252534151e-3f));
  u = at::vec::fmadd(u, rest, Vec(8.33336077630519867e-3f));
  u = at::vec::fmadd(u, rest, Vec(4.16664853692054749e-2f));
  u = at::vec::fmadd(u, rest, Vec(1.66666671633720398e-1f));
  u = at::vec::fmadd(u, rest, Vec(0.5f));
  u = Vec(1.f) + at::vec::fmadd(rest * rest, u, rest);
  // Half of it, since 2^128 overflows.
  using Int = at::vec::Vectorized<int32_t>;
  const Int exponent = (at::vec::cast<int32_t>(sum) - Int(1)) << Int(23);
  const Vec half = at::vec::cast<float>(at::vec::cast<int32_t>(u) + exponent);
  return at::vec::fmadd(half, Vec(2.f), Vec(1.f));
}

C10_ALWAYS_INLINE Vec silu(const Vec& z) { return z / one_plus_exp(z); }

C10_ALWAYS_INLINE Vec silu_backward(const Vec& gradient, const Vec& z) {
  const Vec one(1.f);
  const Vec sigmoid = one / one_plus_exp(z);
  return gradient * sigmoid * at::vec::fmadd(z, one - sigmoid, one);
}

// PyTorch's SiLU takes two vectors at a time; the remainder of a thread's share uses the C library's
// exponential, which rounds differently.
template <typename F>
void each_leftover(int64_t size, const F& act) {
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), at::divup(size, GRAIN));
  const int64_t share = at::divup(size, threads);
  for (int64_t begin = 0; begin < size; begin += share) {
    const int64_t end = std::min(begin + share, size);
    for (int64_t i = end - (end - begin) % (2 * LANES); i < end; ++i) act(i);
  }
}

// Loops over a pixel's channels, vector by vector.
template <typename F>
C10_ALWAYS_INLINE void each_vector(int64_t channels, const F& act) {
  int64_t c = 0;
  for (; c + LANES <= channels; c += LANES) act(c, c / LANES, Full());
  if (c < channels) act(c, c / LANES, channels - c);
}

struct Leftover {
  int64_t index;
  float value;
};

}  // namespace

// x (pixels, channels) → SiLU(norm(x)).
extern "C" void norm_silu(
    const float* x, const float* mean, const float* inverse, const float* weight,
    const float* bias, float* out, int64_t pixels, int64_t channels) {
  Norm norm(mean, inverse, weight, bias, channels);
  at::parallel_for(0, pixels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * channels; i < end * channels; i += channels) {
      each_vector(channels, [&](int64_t c, int64_t v, auto count) ALWAYS_INLINE {
        silu(norm(load(x + i + c, count), v)).store(out + i + c, count);
      });
    }
  });
  each_leftover(pixels * channels, [&](int64_t i) {
    const int64_t c = i % channels;
    const float z = std::fma(x[i], channel(norm.alpha, c), channel(norm.beta, c));
    out[i] = z / (1.f + std::exp(-z));
  });
}

// The output's gradient → the gradients of x (may be in place), weight and bias.
extern "C" void norm_silu_backward(
    const float* gradient, const float* x, const float* mean, const float* inverse,
    const float* weight, const float* bias, float* to_x, float* to_weight, float* to_bias,
    int64_t pixels, int64_t channels) {
  Norm norm(mean, inverse, weight, bias, channels);
  std::vector<Leftover> leftovers;
  each_leftover(pixels * channels, [&](int64_t i) {
    const int64_t c = i % channels;
    const float z = std::fma(x[i], channel(norm.alpha, c), channel(norm.beta, c));
    const float sigmoid = 1.f / (1.f + std::exp(-z));
    leftovers.push_back({i, gradient[i] * sigmoid * std::fma(z, 1.f - sigmoid, 1.f)});
  });
  // Writes z's gradient to x's, and computes the sums that x's gradient needs.
  const int64_t threads = at::get_num_threads(), vectors = norm.mean.size();
  Vecs sums(threads * vectors, Vec(0.f)), products(threads * vectors, Vec(0.f));
  at::parallel_for(0, pixels, 1, [&](int64_t begin, int64_t end) {
    Vec* sum = sums.data() + at::get_thread_num() * vectors;
    Vec* product = products.data() + at::get_thread_num() * vectors;
    auto next = std::lower_bound(
        leftovers.begin(), leftovers.end(), begin * channels,
        [](const Leftover& a, int64_t index) { return a.index < index; });
    for (int64_t i = begin * channels; i < end * channels; i += channels) {
      const auto first = next;
      while (next != leftovers.end() && next->index < i + channels) ++next;
      const auto last = next;
      each_vector(channels, [&](int64_t c, int64_t v, auto count) ALWAYS_INLINE {
        const Vec value = load(x + i + c, count);
        Vec to_z = silu_backward(load(gradient + i + c, count), norm(value, v));
        to_z.store(to_x + i + c, count);
        if (first != last) {
          for (auto l = first; l != last; ++l) {
            if (l->index >= i + c && l->index < i + c + count) to_x[l->index] = l->value;
          }
          to_z = load(to_x + i + c, count);
        }
        sum[v] = sum[v] + to_z;
        product[v] = at::vec::fmadd(value - norm.mean[v], to_z, product[v]);
      });
    }
  });
  Vecs level(vectors), slope(vectors);  // the slope's negative
  const auto total = [&](Vecs& of, int64_t c) {
    double sum = 0;
    for (int64_t t = 0; t < threads; ++t) sum += channel(of, t * vectors * LANES + c);
    return static_cast<float>(sum);
  };
  const float count = static_cast<float>(pixels);
  for (int64_t c = 0; c < channels; ++c) {
    const float sum = total(sums, c), product = total(products, c);
    to_weight[c] = product * inverse[c];
    to_bias[c] = sum;
    channel(level, c) = sum / count;
    channel(slope, c) = -product * inverse[c] * inverse[c] / count;
  }
  at::parallel_for(0, pixels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * channels; i < end * channels; i += channels) {
      each_vector(channels, [&](int64_t c, int64_t v, auto count) ALWAYS_INLINE {
        const Vec centred = load(x + i + c, count) - norm.mean[v];
        const Vec to_z = load(to_x + i + c, count) - level[v];
        const Vec found = at::vec::fmadd(centred, slope[v], to_z) * norm.inverse[v];
        (found * norm.weight[v]).store(to_x + i + c, count);
      });
    }
  });
}
