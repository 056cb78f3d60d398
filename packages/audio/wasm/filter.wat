;; The inner loop of src/resampler.ts. WebAssembly has vector instructions, which make it several times as fast.
;; `pnpm generate` compiles it to src/generated/filter-module.ts. All pointers and strides are in bytes.
(module
  (memory (export "memory") 73) ;; pages of 64 KiB

  ;; Converts $length 16-bit samples at $samples to floats at $floats. Reads and writes up to 7 more.
  (func (export "toFloats") (param $samples i32) (param $length i32) (param $floats i32)
    (local $eight v128)
    (local $end i32)
    (local.set $end (i32.add (local.get $samples) (i32.shl (local.get $length) (i32.const 1))))
    (loop $next
      (local.set $eight (v128.load (local.get $samples)))
      (v128.store (local.get $floats)
        (f32x4.convert_i32x4_s (i32x4.extend_low_i16x8_s (local.get $eight))))
      (v128.store offset=16 (local.get $floats)
        (f32x4.convert_i32x4_s (i32x4.extend_high_i16x8_s (local.get $eight))))
      (local.set $floats (i32.add (local.get $floats) (i32.const 32)))
      (br_if $next (i32.lt_u
        (local.tee $samples (i32.add (local.get $samples) (i32.const 16)))
        (local.get $end)))))

  ;; The dot product of two arrays of $bytes / 4 floats, a multiple of 8, as four numbers to add up.
  (func $dot (param $a i32) (param $b i32) (param $bytes i32) (result v128)
    (local $even v128)
    (local $odd v128)
    (local $end i32)
    (local.set $end (i32.add (local.get $a) (local.get $bytes)))
    (loop $next
      (local.set $even (f32x4.add (local.get $even)
        (f32x4.mul (v128.load (local.get $a)) (v128.load (local.get $b)))))
      (local.set $odd (f32x4.add (local.get $odd)
        (f32x4.mul (v128.load offset=16 (local.get $a)) (v128.load offset=16 (local.get $b)))))
      (local.set $b (i32.add (local.get $b) (i32.const 32)))
      (br_if $next (i32.lt_u
        (local.tee $a (i32.add (local.get $a) (i32.const 32)))
        (local.get $end))))
    (f32x4.add (local.get $even) (local.get $odd)))

  ;; The dot products of the $bytes / 4 floats at $a with those at $b, $b + $stride, $b + 2 × $stride and $b + 3 × $stride.
  ;; Takes less time than four times $dot, because it loads the floats at $a once. Adds in the same order, so that the results
  ;; are the same.
  (func $dot4 (param $a i32) (param $b i32) (param $stride i32) (param $bytes i32) (result v128)
    (local $four v128)
    (local $even0 v128) (local $even1 v128) (local $even2 v128) (local $even3 v128)
    (local $odd0 v128) (local $odd1 v128) (local $odd2 v128) (local $odd3 v128)
    (local $b1 i32) (local $b2 i32) (local $b3 i32)
    (local $end i32)
    (local.set $b1 (i32.add (local.get $b) (local.get $stride)))
    (local.set $b2 (i32.add (local.get $b1) (local.get $stride)))
    (local.set $b3 (i32.add (local.get $b2) (local.get $stride)))
    (local.set $end (i32.add (local.get $a) (local.get $bytes)))
    (loop $next
      (local.set $four (v128.load (local.get $a)))
      (local.set $even0 (f32x4.add (local.get $even0)
        (f32x4.mul (local.get $four) (v128.load (local.get $b)))))
      (local.set $even1 (f32x4.add (local.get $even1)
        (f32x4.mul (local.get $four) (v128.load (local.get $b1)))))
      (local.set $even2 (f32x4.add (local.get $even2)
        (f32x4.mul (local.get $four) (v128.load (local.get $b2)))))
      (local.set $even3 (f32x4.add (local.get $even3)
        (f32x4.mul (local.get $four) (v128.load (local.get $b3)))))
      (local.set $four (v128.load offset=16 (local.get $a)))
      (local.set $odd0 (f32x4.add (local.get $odd0)
        (f32x4.mul (local.get $four) (v128.load offset=16 (local.get $b)))))
      (local.set $odd1 (f32x4.add (local.get $odd1)
        (f32x4.mul (local.get $four) (v128.load offset=16 (local.get $b1)))))
      (local.set $odd2 (f32x4.add (local.get $odd2)
        (f32x4.mul (local.get $four) (v128.load offset=16 (local.get $b2)))))
      (local.set $odd3 (f32x4.add (local.get $odd3)
        (f32x4.mul (local.get $four) (v128.load offset=16 (local.get $b3)))))
      (local.set $b (i32.add (local.get $b) (i32.const 32)))
      (local.set $b1 (i32.add (local.get $b1) (i32.const 32)))
      (local.set $b2 (i32.add (local.get $b2) (i32.const 32)))
      (local.set $b3 (i32.add (local.get $b3) (i32.const 32)))
      (br_if $next (i32.lt_u
        (local.tee $a (i32.add (local.get $a) (i32.const 32)))
        (local.get $end))))
    (call $addPairs
      (call $addPairs
        (f32x4.add (local.get $even0) (local.get $odd0))
        (f32x4.add (local.get $even1) (local.get $odd1)))
      (call $addPairs
        (f32x4.add (local.get $even2) (local.get $odd2))
        (f32x4.add (local.get $even3) (local.get $odd3)))))

  ;; a0 + a1, a2 + a3, b0 + b1, b2 + b3.
  (func $addPairs (param $a v128) (param $b v128) (result v128)
    (f32x4.add
      (i8x16.shuffle 0 1 2 3 8 9 10 11 16 17 18 19 24 25 26 27 (local.get $a) (local.get $b))
      (i8x16.shuffle 4 5 6 7 12 13 14 15 20 21 22 23 28 29 30 31 (local.get $a) (local.get $b))))

  ;; Rounds four floats to the nearest 16-bit samples, twice. Clips values beyond 16 bits.
  (func $toSamples (param $floats v128) (result v128)
    (local.set $floats (i32x4.trunc_sat_f32x4_s (f32x4.nearest (local.get $floats))))
    (i16x8.narrow_i32x4_s (local.get $floats) (local.get $floats)))

  ;; Writes $count 16-bit samples (at least 1) to $output. The first one lies $part / $to samples after
  ;; sample $taps / 2 - 1 of the $taps floats at $window; each next one lies $from / $to samples further. $weights has
  ;; $phases + 1 rows of $taps floats. Weights between two rows are interpolated, unless every output has a row of its own.
  (func (export "filter")
    (param $window i32) (param $weights i32) (param $taps i32) (param $phases i32)
    (param $part i32) (param $from i32) (param $to i32) (param $output i32) (param $count i32)
    (local $rowBytes i32)
    (local $stepBytes i32)
    (local $stepPart i32)
    (local $rowsPerPart f64)
    (local $position f64)
    (local $row i32)
    (local $sum v128)
    (local.set $rowBytes (i32.shl (local.get $taps) (i32.const 2)))
    (local.set $stepBytes (i32.shl (i32.div_u (local.get $from) (local.get $to)) (i32.const 2)))
    (local.set $stepPart (i32.rem_u (local.get $from) (local.get $to)))
    (local.set $rowsPerPart (f64.div (f64.convert_i32_u (local.get $phases)) (f64.convert_i32_u (local.get $to))))
    (loop $next
      (if (i32.eq (local.get $phases) (local.get $to))
        (then (local.set $sum (call $dot
          (i32.add (local.get $weights) (i32.mul (local.get $part) (local.get $rowBytes)))
          (local.get $window) (local.get $rowBytes))))
        (else
          (local.set $position (f64.mul (f64.convert_i32_u (local.get $part)) (local.get $rowsPerPart)))
          (local.set $row (i32.trunc_sat_f64_s (local.get $position)))
          (local.set $position (f64.sub (local.get $position) (f64.convert_i32_s (local.get $row))))
          (local.set $row (i32.add (local.get $weights) (i32.mul (local.get $row) (local.get $rowBytes))))
          (local.set $sum (call $dot (local.get $row) (local.get $window) (local.get $rowBytes)))
          (local.set $sum (f32x4.add (local.get $sum) (f32x4.mul
            (f32x4.splat (f32.demote_f64 (local.get $position)))
            (f32x4.sub
              (call $dot (i32.add (local.get $row) (local.get $rowBytes)) (local.get $window) (local.get $rowBytes))
              (local.get $sum)))))))
      (local.set $sum (call $addPairs (local.get $sum) (local.get $sum)))
      (v128.store16_lane 0 (local.get $output)
        (call $toSamples (call $addPairs (local.get $sum) (local.get $sum))))
      (local.set $output (i32.add (local.get $output) (i32.const 2)))
      (local.set $window (i32.add (local.get $window) (local.get $stepBytes)))
      (local.set $part (i32.add (local.get $part) (local.get $stepPart)))
      (if (i32.ge_u (local.get $part) (local.get $to))
        (then
          (local.set $part (i32.sub (local.get $part) (local.get $to)))
          (local.set $window (i32.add (local.get $window) (i32.const 4)))))
      (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1))))))

  ;; The same for 4 × $to outputs, each with a row of its own. Output $to has the same row as output 0, and so on: four
  ;; outputs at a time.
  (func (export "filterFours")
    (param $window i32) (param $weights i32) (param $taps i32)
    (param $part i32) (param $from i32) (param $to i32) (param $output i32)
    (local $rowBytes i32)
    (local $stepBytes i32)
    (local $stepPart i32)
    (local $fromBytes i32)
    (local $toBytes i32)
    (local $count i32)
    (local $at i32)
    (local $sum v128)
    (local.set $rowBytes (i32.shl (local.get $taps) (i32.const 2)))
    (local.set $stepBytes (i32.shl (i32.div_u (local.get $from) (local.get $to)) (i32.const 2)))
    (local.set $stepPart (i32.rem_u (local.get $from) (local.get $to)))
    (local.set $fromBytes (i32.shl (local.get $from) (i32.const 2)))
    (local.set $toBytes (i32.shl (local.get $to) (i32.const 1)))
    (local.set $count (local.get $to))
    (loop $next
      (local.set $sum (call $toSamples (call $dot4
        (i32.add (local.get $weights) (i32.mul (local.get $part) (local.get $rowBytes)))
        (local.get $window) (local.get $fromBytes) (local.get $rowBytes))))
      (v128.store16_lane 0 (local.get $output) (local.get $sum))
      (local.set $at (i32.add (local.get $output) (local.get $toBytes)))
      (v128.store16_lane 1 (local.get $at) (local.get $sum))
      (local.set $at (i32.add (local.get $at) (local.get $toBytes)))
      (v128.store16_lane 2 (local.get $at) (local.get $sum))
      (v128.store16_lane 3 (i32.add (local.get $at) (local.get $toBytes)) (local.get $sum))
      (local.set $output (i32.add (local.get $output) (i32.const 2)))
      (local.set $window (i32.add (local.get $window) (local.get $stepBytes)))
      (local.set $part (i32.add (local.get $part) (local.get $stepPart)))
      (if (i32.ge_u (local.get $part) (local.get $to))
        (then
          (local.set $part (i32.sub (local.get $part) (local.get $to)))
          (local.set $window (i32.add (local.get $window) (i32.const 4)))))
      (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))))
