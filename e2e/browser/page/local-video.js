/**
 * Runs in a page before its own scripts. `localPicture(source)` returns what the page's camera or screen shows now, and
 * `decodePicture(url)` what an image shows: its size, and the colors of a grid of 4 x 3. `openVideos()` lists the open sources.
 */
{
  const tracks = {};
  const { mediaDevices } = navigator;
  for (const [source, name] of [
    ["camera", "getUserMedia"],
    ["screen", "getDisplayMedia"],
  ]) {
    const open = mediaDevices[name].bind(mediaDevices);
    mediaDevices[name] = async (constraints) => {
      const stream = await open(constraints);
      const [track] = stream.getVideoTracks();
      if (track) tracks[source] = track;
      return stream;
    };
  }

  const describe = (image, width, height) => {
    const canvas = new OffscreenCanvas(4, 3);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingQuality = "high";
    context.drawImage(image, 0, 0, 4, 3);
    const { data } = context.getImageData(0, 0, 4, 3);
    const colors = Array.from({ length: 12 }, (_, cell) => [...data.slice(4 * cell, 4 * cell + 3)]);
    return { width, height, colors };
  };

  Object.assign(globalThis, {
    openVideos: () => Object.keys(tracks).filter((source) => tracks[source].readyState === "live"),
    async localPicture(source) {
      const video = document.createElement("video");
      video.muted = true;
      video.srcObject = new MediaStream([tracks[source].clone()]);
      await video.play();
      return describe(video, video.videoWidth, video.videoHeight);
    },
    async decodePicture(url) {
      const image = new Image();
      image.src = url;
      await image.decode();
      return describe(image, image.naturalWidth, image.naturalHeight);
    },
  });
}
