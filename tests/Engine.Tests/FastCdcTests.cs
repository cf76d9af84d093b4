using BackupDr.Engine.Chunking;
using BackupDr.TestKit;

namespace BackupDr.Engine.Tests;

public sealed class FastCdcTests
{
    const int Minimum = 512 << 10, Maximum = 8 << 20;

    [Fact, Clause("F-10.1")]
    public void Chunks_keep_their_bounds_average_a_mebibyte_and_miss_no_byte()
    {
        var data = Prepared.Noise(64 << 20, seed: 7);

        var cuts = Cuts(data);

        Assert.Equal(data.Length, cuts.Sum());
        Assert.All(cuts.SkipLast(1), length => Assert.InRange(length, Minimum, Maximum));
        Assert.InRange(cuts.Average(), 0.8 * (1 << 20), 1.6 * (1 << 20));
    }

    [Fact, Clause("F-10.2")]
    public void Cuts_do_not_depend_on_how_the_bytes_arrive()
    {
        var data = Prepared.Noise(12 << 20, seed: 8);

        Assert.Equal(Cuts(data), Cuts(data, arriving: 100_003));
    }

    [Fact, Clause("F-10.2")]
    public void Cuts_are_the_same_in_every_build()
        => Assert.Equal([878_569, 1_253_035, 1_252_132], Cuts(Prepared.Noise(5 << 20, seed: 9)).Take(3));

    [Fact, Clause("F-10.2")]
    public void An_insertion_moves_only_the_cuts_near_it()
    {
        var before = Prepared.Noise(32 << 20, seed: 10);
        byte[] after = [.. before.AsSpan(0, 9 << 20), .. "a few bytes more"u8, .. before.AsSpan(9 << 20)];

        var (ends, moved) = (Ends(Cuts(before)), Ends(Cuts(after)));

        Assert.Equal(ends.Where(end => end <= 9 << 20), moved.Where(end => end <= 9 << 20));
        Assert.Equal(ends.Where(end => end > 18 << 20).Select(end => end + 16), moved.Where(end => end > (18 << 20) + 16));
    }

    [Theory, Clause("F-10.3")]
    [InlineData(0)]
    [InlineData(0x20)]
    [InlineData(0xff)]
    public void One_byte_repeated_does_not_fall_into_smallest_chunks(byte value)
    {
        var data = new byte[32 << 20];
        data.AsSpan().Fill(value);

        Assert.True(Cuts(data).SkipLast(1).Average() > Minimum * 2);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(Minimum)]
    [InlineData(Minimum + 1)]
    public void What_is_not_longer_than_the_smallest_chunk_is_at_most_two(int length)
        => Assert.Equal(length, Cuts(Prepared.Noise(length, seed: 11)).Sum());

    static List<int> Cuts(byte[] data, int arriving = int.MaxValue) => Cut.Lengths(new FastCdc(), data, arriving);

    static List<int> Ends(List<int> lengths)
    {
        var end = 0;
        return [.. lengths.Select(length => end += length)];
    }
}
