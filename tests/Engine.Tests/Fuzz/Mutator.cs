namespace BackupDr.Engine.Tests.Fuzz;

/// <summary>Changes valid inputs a little, the same way for the same seed.</summary>
sealed class Mutator(int seed)
{
    static readonly byte[][] Tokens =
    [
        "{"u8.ToArray(), "}"u8.ToArray(), "["u8.ToArray(), "]"u8.ToArray(), ","u8.ToArray(), ":"u8.ToArray(), "\""u8.ToArray(),
        "\\"u8.ToArray(), "\\u0000"u8.ToArray(), "\\ud800"u8.ToArray(), "\\xff"u8.ToArray(),
        "null"u8.ToArray(), "true"u8.ToArray(), "-1"u8.ToArray(),
        "1e999"u8.ToArray(), "18446744073709551616"u8.ToArray(), "4294967295"u8.ToArray(), [0xef, 0xbb, 0xbf], [0xff], [0],
        [.. Enumerable.Repeat((byte)'[', 5_000)], [.. Enumerable.Repeat("{\"a\":"u8.ToArray(), 2_000).SelectMany(part => part)],
    ];

    readonly Random _random = new(seed);

    /// <summary>A changed copy: one to four changes, each of a bit, a byte, a run, a token, a copied part, or the length.</summary>
    public byte[] Change(byte[] valid)
    {
        List<byte> bytes = [.. valid];
        for (var left = _random.Next(1, 5); left > 0; left--)
        {
            var at = _random.Next(bytes.Count + 1);
            var run = Math.Min(_random.Next(1, 40), bytes.Count - at);
            switch (_random.Next(7))
            {
                case 0 when at < bytes.Count: bytes[at] ^= (byte)(1 << _random.Next(8)); break;
                case 1 when at < bytes.Count: bytes[at] = (byte)_random.Next(256); break;
                case 2: bytes.RemoveRange(at, run); break;
                case 3: bytes.InsertRange(at, Tokens[_random.Next(Tokens.Length)]); break;
                case 4: bytes.InsertRange(_random.Next(bytes.Count + 1), bytes.GetRange(at, run)); break;
                case 5 when _random.Next(4) == 0: bytes.RemoveRange(at, bytes.Count - at); break;
                default:
                    if (run >= 4) for (var i = 0; i < 4; i++) bytes[at + i] = 0xff;
                    break;
            }
        }
        return [.. bytes];
    }
}
