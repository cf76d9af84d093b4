using System.Text;
using BackupDr.Contracts;
using BackupDr.Engine.Crypto;
using BackupDr.Engine.Format;
using BackupDr.TestKit;

namespace BackupDr.Engine.Tests;

public sealed class CryptoVectorTests
{
    [Fact, Clause("F-4.2")]
    public void Scrypt_gives_the_bytes_of_the_standard_in_both_implementations()
    {
        foreach (var vector in Vector.Of("scrypt_small").EnumerateArray())
        {
            var (password, salt) = (Encoding.UTF8.GetBytes(vector.Text("password")), vector.Hex("salt_hex"));
            var expected = vector.Hex("derived64");

            Assert.Equal(expected, Scrypt.Derive(password, salt, vector.Int("N"), vector.Int("r"), vector.Int("p"), 64));
            Assert.Equal(expected, Scrypt.DeriveManaged(password, salt, vector.Int("N"), vector.Int("r"), vector.Int("p"), 64));
        }
    }

    [Fact, Clause("F-3.2")]
    public void Counter_mode_gives_the_vectors_also_where_the_counter_wraps()
    {
        foreach (var vector in Vector.Of("aes256_ctr").EnumerateArray())
        {
            var data = vector.Hex("plaintext");

            AesCtr.Apply(vector.Hex("key"), vector.Hex("iv"), data);

            Assert.Equal(vector.Hex("ciphertext"), data);
        }
    }

    [Fact, Clause("F-3.3")]
    public void Poly1305_gives_the_vectors()
    {
        foreach (var vector in Vector.Of("poly1305_aes").EnumerateArray())
        {
            var tag = new byte[16];

            Poly1305.Tag(vector.Hex("r"), vector.Hex("aes_k_nonce"), vector.Hex("message"), tag);

            Assert.Equal(vector.Text("tag"), Convert.ToHexStringLower(tag));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [Clause("F-3.1")]
    [Clause("F-3.4")]
    public void A_sealed_vector_opens_and_a_changed_one_does_not(bool managedOnly)
    {
        foreach (var vector in Vector.Of("sealed").EnumerateArray())
        {
            var key = vector.GetProperty("key");
            using var box = new SealedBox(new MasterKey(key.Hex("encrypt"), key.Hex("mac_k"), key.Hex("mac_r")), managedOnly);
            var good = vector.Hex("sealed");

            Assert.True(box.TryOpen([.. good], out var plain));
            Assert.Equal(vector.Text("plaintext"), Convert.ToHexStringLower(plain));
            for (var bit = 0; bit < good.Length * 8; bit++)
            {
                byte[] bad = [.. good];
                bad[bit / 8] ^= (byte)(1 << bit % 8);
                Assert.False(box.TryOpen(bad, out _));
            }
            Assert.False(box.TryOpen(good.AsSpan(0, SealedBox.Overhead - 1).ToArray(), out _));
        }
    }

    [Fact]
    public void The_native_and_the_managed_path_seal_and_open_each_others_boxes()
    {
        var key = MasterKey.Random();
        using var native = new SealedBox(key);
        using var managed = new SealedBox(key, managedOnly: true);
        var random = new Random(7);
        foreach (var length in (int[])[0, 1, 15, 16, 17, 4095, 4096, 4097, 100_000])
        {
            var plain = new byte[length];
            random.NextBytes(plain);

            Assert.True(managed.TryOpen(native.Seal(plain, out _), out var first));
            Assert.True(native.TryOpen(managed.Seal(plain, out _), out var second));
            Assert.Equal(plain, first.ToArray());
            Assert.Equal(plain, second.ToArray());
        }
    }

    [Fact, Clause("F-4.1")]
    public void A_key_file_of_stock_restic_opens_with_its_password_alone()
    {
        var vector = Vector.Of("scrypt");
        var file = KeyFile.Read(Encoding.UTF8.GetBytes(vector.Text("key_file_text")), "key");

        var master = PasswordKey.TryOpen(file, Secret.FromText(vector.Text("password")), "key");

        Assert.Equal(vector.Text("master_key_json"), Encoding.UTF8.GetString(master!.Write()));
        Assert.Null(PasswordKey.TryOpen(file, Secret.FromText("Vector passwort 1"), "key"));
    }

    [Theory, Clause("F-4.4")]
    [InlineData(3, 8, 1)]
    [InlineData(1 << 24, 8, 1)]
    [InlineData(32768, 0, 1)]
    public void Key_files_that_would_cost_too_much_are_refused_before_any_work(int n, int r, int p)
    {
        var text = Vector.Of("scrypt").Text("key_file_text")
            .Replace("\"N\":32768,\"r\":8,\"p\":4", $"\"N\":{n},\"r\":{r},\"p\":{p}", StringComparison.Ordinal);

        var e = Assert.Throws<RepositoryException>(() => KeyFile.Read(Encoding.UTF8.GetBytes(text), "key"));

        Assert.Equal(RepositoryFault.Unsupported, e.Fault);
    }
}
