using System.Globalization;
using System.Text.Json;
using BackupDr.Engine.Chunking;

namespace BackupDr.Engine.Format;

/// <summary>The repository's identity: plain JSON inside a sealed object named <c>config</c>.</summary>
/// <param name="Version">2.</param>
/// <param name="Id">64 hex characters.</param>
/// <param name="ChunkerPolynomial">Irreducible, degree 53.</param>
/// <remarks>Source: docs/format/restic-v2.md, F-2.1.</remarks>
public sealed record ConfigFile(int Version, string Id, ulong ChunkerPolynomial)
{
    /// <summary>The bytes to be sealed.</summary>
    public byte[] Write() => new GoJson().Open('{').Name("version"u8).Number((long)Version).Name("id"u8).Text(Id)
        .Name("chunker_polynomial"u8).Text(ChunkerPolynomial.ToString("x", CultureInfo.InvariantCulture)).Close('}').Written.ToArray();

    /// <summary>Reads the opened bytes.</summary>
    /// <exception cref="RepositoryException">Damaged, or Unsupported for another version.</exception>
    public static ConfigFile Read(ReadOnlySpan<byte> json)
    {
        var input = new JsonInput(json, "config");
        ulong version = 0, polynomial = 0;
        string? id = null;
        input.Next();
        input.Expect(JsonTokenType.StartObject);
        while (input.NextMember(out var member))
        {
            if (member.SequenceEqual("version"u8)) version = input.Unsigned();
            else if (member.SequenceEqual("id"u8)) id = input.Id().ToString();
            else if (member.SequenceEqual("chunker_polynomial"u8))
            {
                if (!ulong.TryParse(input.Text(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out polynomial))
                    throw input.Bad("no polynomial");
            }
            else input.Skip();
        }
        if (version != 2)
            throw new RepositoryException(RepositoryFault.Unsupported,
                $"config: repository version {version}; this program works with version 2.",
                "Migrate it with 'restic migrate upgrade_repo_v2'.");
        if (id is null) throw input.Bad("no id");
        if (Polynomial.Degree(polynomial) != 53 || !Polynomial.IsIrreducible(polynomial))
            throw input.Bad($"chunker polynomial {polynomial:x} is not irreducible of degree 53");
        return new ConfigFile(2, id, polynomial);
    }
}
