using System.Globalization;
using System.Security.Cryptography;

namespace BackupDr.Scheduler.Access;

/// <summary>Hashes of people's passwords: PBKDF2 with SHA-512, 210,000 rounds, 16 bytes of salt.</summary>
/// <remarks>Text form "pbkdf2-sha512$rounds$salt$hash", so that rounds can grow without a migration.</remarks>
static class PasswordHash
{
    const int Rounds = 210_000;
    const int SaltBytes = 16;
    const int HashBytes = 32;

    /// <summary>A hash that nothing fits: compared against where there is no such person, so that both answers take the same
    /// time.</summary>
    public static string Nobody { get; } = Make(Convert.ToHexString(RandomNumberGenerator.GetBytes(32)));

    public static string Make(string password)
    {
        var salt = RandomNumberGenerator.GetBytes(SaltBytes);
        var hash = Rfc2898DeriveBytes.Pbkdf2(password, salt, Rounds, HashAlgorithmName.SHA512, HashBytes);
        return string.Create(CultureInfo.InvariantCulture,
            $"pbkdf2-sha512${Rounds}${Convert.ToBase64String(salt)}${Convert.ToBase64String(hash)}");
    }

    public static bool Fits(string password, string stored)
    {
        if (stored.Split('$') is not ["pbkdf2-sha512", var rounds, var salt, var hash])
            throw new InvalidOperationException("A stored password hash has a form that this version does not know.");
        var expected = Convert.FromBase64String(hash);
        var count = int.Parse(rounds, CultureInfo.InvariantCulture);
        var actual = Rfc2898DeriveBytes.Pbkdf2(password, Convert.FromBase64String(salt), count, HashAlgorithmName.SHA512, expected.Length);
        return CryptographicOperations.FixedTimeEquals(actual, expected);
    }
}
