using System.Text.Json;

namespace BackupDr.Engine.Format;

/// <summary>A password's way to the master key: plain JSON under <c>keys/</c>.</summary>
/// <remarks>Source: docs/format/restic-v2.md, F-4.1 and F-4.4.</remarks>
public sealed record KeyFile
{
    /// <summary>Most memory that reading a key may need.</summary>
    public const long MaximumScryptBytes = 1L << 30;

    /// <summary>When it was made.</summary>
    public required UnixTime Created { get; init; }
    /// <summary>By whom.</summary>
    public required string UserName { get; init; }
    /// <summary>On which host.</summary>
    public required string HostName { get; init; }
    /// <summary>scrypt's cost, a power of two above 1.</summary>
    public required int N { get; init; }
    /// <summary>scrypt's block size.</summary>
    public required int R { get; init; }
    /// <summary>scrypt's parallelism.</summary>
    public required int P { get; init; }
    /// <summary>64 bytes.</summary>
    public required byte[] Salt { get; init; }
    /// <summary>The sealed master key.</summary>
    public required byte[] Sealed { get; init; }

    /// <summary>The file's bytes.</summary>
    public byte[] Write() => new GoJson().Open('{').Name("created"u8).Text(GoTime.Format(Created)).Name("username"u8).Text(UserName)
        .Name("hostname"u8).Text(HostName).Name("kdf"u8).Text("scrypt").Name("N"u8).Number((long)N).Name("r"u8).Number((long)R)
        .Name("p"u8).Number((long)P)
        .Name("salt"u8).Base64Text(Salt).Name("data"u8).Base64Text(Sealed).Close('}').Written.ToArray();

    /// <summary>Reads a file's bytes.</summary>
    /// <exception cref="RepositoryException">Damaged, or Unsupported for parameters that would cost too much.</exception>
    public static KeyFile Read(ReadOnlySpan<byte> json, string where)
    {
        var input = new JsonInput(json, where);
        var (created, user, host, kdf) = (default(UnixTime), "", "", "");
        ulong n = 0, r = 0, p = 0;
        byte[] salt = [], data = [];
        input.Next();
        input.Expect(JsonTokenType.StartObject);
        while (input.NextMember(out var member))
        {
            if (member.SequenceEqual("created"u8)) created = input.Time();
            else if (member.SequenceEqual("username"u8)) user = input.Text();
            else if (member.SequenceEqual("hostname"u8)) host = input.Text();
            else if (member.SequenceEqual("kdf"u8)) kdf = input.Text();
            else if (member.SequenceEqual("N"u8)) n = input.Unsigned();
            else if (member.SequenceEqual("r"u8)) r = input.Unsigned();
            else if (member.SequenceEqual("p"u8)) p = input.Unsigned();
            else if (member.SequenceEqual("salt"u8)) salt = input.Base64();
            else if (member.SequenceEqual("data"u8)) data = input.Base64();
            else input.Skip();
        }
        if (kdf != "scrypt") throw new RepositoryException(RepositoryFault.Unsupported, $"{where}: key derivation '{kdf}' is unknown.");
        if (n is < 2 or > int.MaxValue || !ulong.IsPow2(n) || r is 0 or > 1024 || p is 0 or > 1024 || 128 * n * r > MaximumScryptBytes)
            throw new RepositoryException(RepositoryFault.Unsupported,
                $"{where}: scrypt with N={n}, r={r}, p={p} is refused; it may need 1 GiB at most.");
        if (salt.Length != 64) throw input.Bad($"a salt of {salt.Length} bytes; 64 are needed");
        return new KeyFile
        {
            Created = created,
            UserName = user,
            HostName = host,
            N = (int)n,
            R = (int)r,
            P = (int)p,
            Salt = salt,
            Sealed = data
        };
    }
}
