using System.Security.Cryptography;
using System.Text;
using BackupDr.Contracts.Rules.Evidence;
using BackupDr.Contracts.Rules.Runbooks.Bundles;
using BackupDr.Contracts.Specs;

namespace BackupDr.Contracts.Tests.Rules.Runbooks.Bundles;

/// <summary>A bundle of an installation that is made up.</summary>
sealed class SampleBundle : IDisposable
{
    public const string Passphrase = "horse staple battery";

    public static readonly byte[] RecoveryKey = [.. Enumerable.Range(1, 32).Select(one => (byte)one)];
    public static readonly RunbookSpec Spec = Drive.Book(Drive.Step("names"), Drive.Step("wait", "names", StepKind.Wait)) with
    { From = "eu-west", To = "eu-north" };

    public ECDsa Installation { get; } = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    public ECDsa Own { get; } = ECDsa.Create(ECCurve.NamedCurves.nistP256);

    public BundleHead Head => new()
    {
        Format = BundleHead.TheFormat,
        Id = new string('a', 32),
        MadeAt = Drive.Start,
        MadeBy = "ann",
        Installation = Guid.Parse("0193f0a0-0000-7000-8000-000000000001"),
        PublicKey = Convert.ToBase64String(Installation.ExportSubjectPublicKeyInfo()),
        Fingerprint = EvidenceSignature.Fingerprint(Installation.ExportSubjectPublicKeyInfo()),
        Key = Convert.ToBase64String(Own.ExportSubjectPublicKeyInfo()),
        Runbook = RunbookId.Parse("book_0193f0a0000070008000000000000001"),
        Name = "shop",
        Version = 3,
        Hash = new string('b', 64),
    };

    public BundleSecrets Secrets => new()
    {
        Key = Convert.ToBase64String(Own.ExportPkcs8PrivateKey()),
        Secrets = new Dictionary<string, string> { ["ddns"] = "very secret" },
    };

    public string Write(BundleHead? head = null, Func<string, BundleSeal>? seal = null, ECDsa? signer = null) => BundleFile.Write(
        head ?? Head, Spec, [new BundleHost(HostId.Parse("host_0193f0a0000070008000000000000001"), "site-b")],
        seal ?? (bound => BundleSealing.Seal(Secrets, bound, Passphrase, RecoveryKey, rounds: 10)),
        hash => EvidenceSignature.Sign(signer ?? Installation, hash));

    public void Dispose()
    {
        Installation.Dispose();
        Own.Dispose();
    }
}

public sealed class BundleFileTests
{
    static readonly string[] Parts = ["head", "runbook", "hosts", "sealed", "end"];

    [Fact]
    public void What_was_written_is_read_and_opened()
    {
        using var sample = new SampleBundle();
        var bundle = BundleFile.Read(Encoding.UTF8.GetBytes(sample.Write()));

        Assert.Equal(sample.Head, bundle.Head);
        Assert.Equal("site-b", Assert.Single(bundle.Hosts).Name);
        Assert.Equal(SampleBundle.Spec.Steps.Select(step => step.Name), bundle.Spec.Steps.Select(step => step.Name));
        Assert.Equal("very secret", bundle.Open(SampleBundle.Passphrase).Secrets["ddns"]);
        Assert.Equal("very secret", bundle.OpenByRecoveryKey(SampleBundle.RecoveryKey).Secrets["ddns"]);
        Assert.NotNull(BundleFile.Certified(bundle.Certificate, (hash, signature)
            => EvidenceSignature.Fits(sample.Installation, hash, signature)));
        Assert.Null(BundleFile.Certified(bundle.Certificate, (hash, signature) => EvidenceSignature.Fits(sample.Own, hash, signature)));
    }

    [Fact]
    public void Nothing_secret_stands_in_clear()
    {
        using var sample = new SampleBundle();
        var text = sample.Write();

        Assert.DoesNotContain("very secret", text, StringComparison.Ordinal);
        Assert.DoesNotContain(sample.Secrets.Key, text, StringComparison.Ordinal);
    }

    [Fact]
    public void An_altered_byte_is_refused_and_the_message_names_its_line()
    {
        using var sample = new SampleBundle();
        var bytes = Encoding.UTF8.GetBytes(sample.Write());
        var line = 1;
        for (var at = 0; at < bytes.Length; at++)
        {
            var isEnd = bytes[at] == '\n';
            // Each line's first and last bytes, and every eleventh in between.
            if (at % 11 == 0 || isEnd || at == 0 || bytes[at - 1] == '\n' || (at + 1 < bytes.Length && bytes[at + 1] == '\n'))
            {
                var altered = (byte[])bytes.Clone();
                altered[at] ^= 1;
                var refused = Assert.Throws<ConflictException>(() => BundleFile.Read(altered));
                Assert.Equal("bundle.altered", refused.Code);
                Assert.True(refused.Message.Contains($"line {line}, the part '{Parts[line - 1]}'", StringComparison.Ordinal),
                    $"byte {at} of line {line}: {refused.Message}");
            }
            if (isEnd) line++;
        }
        Assert.Equal(6, line);
    }

    [Theory]
    [InlineData("cut in the middle", 4)]
    [InlineData("without its last line", 5)]
    [InlineData("with a line more", 6)]
    [InlineData("with two parts exchanged", 2)]
    public void What_is_missing_added_or_moved_is_refused(string how, int line)
    {
        using var sample = new SampleBundle();
        var text = sample.Write();
        var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var altered = how switch
        {
            "cut in the middle" => string.Concat(lines[..3].Select(one => one + "\n")) + lines[3][..20],
            "without its last line" => string.Concat(lines[..4].Select(one => one + "\n")),
            "with a line more" => text + lines[1] + "\n",
            _ => string.Concat(new[] { lines[0], lines[2], lines[1], lines[3], lines[4] }.Select(one => one + "\n")),
        };
        var refused = Assert.Throws<ConflictException>(() => BundleFile.Read(Encoding.UTF8.GetBytes(altered)));

        Assert.Equal("bundle.altered", refused.Code);
        Assert.Contains($"line {line},", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Another_file_is_no_bundle()
        => Assert.Throws<BadInputException>(() => BundleFile.Read("""{"format":"backupdr-evidence-1"}"""u8));

    [Fact]
    public void Another_passphrase_and_another_recovery_key_do_not_open_it()
    {
        using var sample = new SampleBundle();
        var bundle = BundleFile.Read(Encoding.UTF8.GetBytes(sample.Write()));

        Assert.Equal("bundle.unopened", Assert.Throws<ConflictException>(() => bundle.Open("another one, long enough")).Code);
        Assert.Equal("bundle.unopened", Assert.Throws<ConflictException>(() => bundle.OpenByRecoveryKey(new byte[32])).Code);
    }

    [Fact]
    public void One_that_somebody_altered_and_signed_with_a_key_of_his_own_does_not_open()
    {
        using var sample = new SampleBundle();
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var seal = BundleFile.Read(Encoding.UTF8.GetBytes(sample.Write())).Seal;
        var key = other.ExportSubjectPublicKeyInfo();
        var forged = sample.Write(sample.Head with
        {
            PublicKey = Convert.ToBase64String(key),
            Fingerprint = EvidenceSignature.Fingerprint(key),
        }, _ => seal, other);
        var bundle = BundleFile.Read(Encoding.UTF8.GetBytes(forged));   // whole in itself

        Assert.Equal("bundle.unopened", Assert.Throws<ConflictException>(() => bundle.Open(SampleBundle.Passphrase)).Code);
    }
}
