#!/bin/sh
# FFmpeg: films coded in threads by H.264 and MPEG-4, sound in FLAC, decoded again frame by frame.
# seconds: 300
f() { ffmpeg -hide_banner -nostdin -loglevel error -y "$@"; }
f -f lavfi -i testsrc=size=64x48:rate=10:duration=1 -threads 4 -c:v libx264 -preset ultrafast a.mp4; echo $?; ffprobe -v error -count_frames -show_entries stream=codec_name,width,height,nb_read_frames -of csv a.mp4; f -i a.mp4 -f framemd5 - | grep -c '^0'; f -f lavfi -i sine=duration=1 -c:a flac s.flac; f -i s.flac -f md5 -; f -i a.mp4 -vf scale=32:24 -c:v mpeg4 b.avi; f -i nothing x.mp4 2>&1; echo $?
