;; The inner loop of src/resampler.ts. WebAssembly has vector instructions, which make it about three times as fast.
;; `pnpm generate` compiles it to src/generated/filter-module.ts. All pointers are in bytes.
(module
  (memory (export "memory") 10) ;; 10 pages of 64 KiB

  ;; The dot product of two arrays of $bytes / 4 floats, a multiple of 8.
  (func $dot (param $a i32) (param $b i32) (param $bytes i32) (result f32)
    (local $sum v128)
    (local $sum2 v128)
    (local $end i32)
    (local.set $end (i32.add (local.get $a) (local.get $bytes)))
    (loop $next
      (local.set $sum (f32x4.add (local.get $sum)
        (f32x4.mul (v128.load (local.get $a)) (v128.load (local.get $b)))))
      (local.set $sum2 (f32x4.add (local.get $sum2)
        (f32x4.mul (v128.load offset=16 (local.get $a)) (v128.load offset=16 (local.get $b)))))
      (local.set $b (i32.add (local.get $b) (i32.const 32)))
      (br_if $next (i32.lt_u
        (local.tee $a (i32.add (local.get $a) (i32.const 32)))
        (local.get $end))))
    (local.set $sum (f32x4.add (local.get $sum) (local.get $sum2)))
    (f32.add
      (f32.add (f32x4.extract_lane 0 (local.get $sum)) (f32x4.extract_lane 1 (local.get $sum)))
      (f32.add (f32x4.extract_lane 2 (local.get $sum)) (f32x4.extract_lane 3 (local.get $sum)))))

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

  ;; Writes $count 16-bit samples (at least 1) to $output. The first one lies $part / $to samples after
  ;; sample $taps / 2 - 1 of the $taps floats at $window; each next one lies $from / $to samples further. $weights has
  ;; $phases + 1 rows of $taps floats. Weights between two rows are interpolated.
  (func (export "filter")
    (param $window i32) (param $weights i32) (param $taps i32) (param $phases i32)
    (param $part i32) (param $from i32) (param $to i32) (param $output i32) (param $count i32)
    (local $rowBytes i32)
    (local $row i32)
    (local $position f64)
    (local $between f32)
    (local $value f32)
    (local.set $rowBytes (i32.shl (local.get $taps) (i32.const 2)))
    (loop $next
      (local.set $position (f64.div
        (f64.mul (f64.convert_i32_u (local.get $part)) (f64.convert_i32_u (local.get $phases)))
        (f64.convert_i32_u (local.get $to))))
      (local.set $row (i32.trunc_f64_u (local.get $position)))
      (local.set $between (f32.demote_f64 (f64.sub (local.get $position) (f64.convert_i32_u (local.get $row)))))
      (local.set $row (i32.add (local.get $weights) (i32.mul (local.get $row) (local.get $rowBytes))))
      (local.set $value (call $dot (local.get $row) (local.get $window) (local.get $rowBytes)))
      (if (f32.gt (local.get $between) (f32.const 0))
        (then (local.set $value (f32.add (local.get $value) (f32.mul (local.get $between) (f32.sub
          (call $dot (i32.add (local.get $row) (local.get $rowBytes)) (local.get $window) (local.get $rowBytes))
          (local.get $value)))))))
      ;; Rounds to the nearest sample. Clips values beyond 16 bits.
      (i32.store16 (local.get $output) (i32.trunc_f32_s (f32.floor (f32.add (f32.const 0.5)
        (f32.min (f32.const 32767) (f32.max (f32.const -32768) (local.get $value)))))))
      (local.set $output (i32.add (local.get $output) (i32.const 2)))
      (local.set $part (i32.add (local.get $part) (local.get $from)))
      (local.set $window (i32.add (local.get $window)
        (i32.shl (i32.div_u (local.get $part) (local.get $to)) (i32.const 2))))
      (local.set $part (i32.rem_u (local.get $part) (local.get $to)))
      (br_if $next (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))))
